/**
 * What LV-XAttn really sends, run, is what its costs count.
 * @module
 */
import { afterAll, describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/draw-case.ts';
import { closeWorkers, runLvXattn } from '../run.ts';
import { heldBytes } from './memory.ts';
import {
  bytesOf,
  type Direction,
  type Extents,
  queryMessage,
  resultMessage,
  ringElements,
} from './messages.ts';

afterAll(closeWorkers);

const F64 = { element_bytes: 8, scalar_bytes: 8 };

describe('bytes on the wire', () => {
  const asked = [[4, 4, 4], [5, 0, 2, 1], [3, 6], [7]].flatMap((q) =>
    ([null, 'previous'] as const).flatMap((media) =>
      (['D', 'O', 'O, dLSE'] as const).map((sends) => ({ q, media, sends })),
    ),
  );
  for (const { q, media, sends } of asked) {
    const masked = media === null ? '' : ', with media';
    it(`are those of the formulas, rank by rank, of blocks ${q.join(' ')}${masked}, ${sends}`, async () => {
      const seq_q = q.reduce((sum, rows) => sum + rows, 0);
      const kv = q.map(() => 3);
      const attentionCase = drawCase(3, {
        ...{ heads: 4, kv_heads: 2, head_dim: 5, head_dim_v: 7, batch: 2 },
        ...{ seq_q, seq_kv: 3 * q.length, partition: { ranks: q.length, q, kv } },
        ...(media === null ? {} : { media }),
        dLse: sends !== 'O',
        wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'],
      });
      const { log } = await runLvXattn(attentionCase, {
        ...{ transport: 'simulated', device: 'reference', observing: true },
        sends: sends === 'D' ? 'D' : 'O',
      });
      const { batch, heads, head_dim, head_dim_v } = attentionCase.parameters;
      const all: Extents = { batch, rows: 1, heads, head_dim, head_dim_v, media: media !== null };
      const row = { ...all, d_lse: sends === 'O, dLSE' };
      for (const direction of ['forward', 'backward'] as const satisfies Direction[]) {
        const ahead = bytesOf(
          queryMessage(row, direction, sends === 'D' ? 'delta' : 'output'),
          F64,
        );
        const behind = bytesOf(resultMessage(row, direction), F64);
        q.forEach((_, rank) => {
          const sent = log
            .filter((one) => one.rank === rank && one.direction === direction)
            .filter(({ operation }) => operation.op === 'send')
            .reduce((sum, { seen }) => sum + (seen?.message?.bytes ?? Number.NaN), 0);
          expect(sent).toBe(ringElements(q, rank, { ahead, behind }));
        });
      }
    });
  }
});

describe('bytes held at once', () => {
  for (const ranks of [1, 2, 3]) {
    it(`are those of the formula on each of ${ranks} ranks`, async () => {
      const sizes = { seq_q: 2 * ranks, seq_kv: 5 * ranks, heads: 4, kv_heads: 2, head_dim: 5 };
      const each = (n: number) => new Array<number>(ranks).fill(n);
      const c = drawCase(3, {
        ...{ ...sizes, head_dim_v: sizes.head_dim, partition: { ranks, q: each(2), kv: each(5) } },
        dLse: false,
        wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'],
      });
      const w = { ...sizes, ...F64, ranks, ranks_per_node: 1, hidden: 20, visual_dim: 20 };
      for (const sends of ['D', 'O'] as const) {
        const how = { transport: 'simulated', device: 'reference', sends } as const;
        const { peakBytes } = await runLvXattn(c, how);
        expect(peakBytes).toEqual(each(heldBytes(w, sends === 'D' ? 'delta' : 'output')));
      }
    });
  }
});
