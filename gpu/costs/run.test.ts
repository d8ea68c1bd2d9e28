/**
 * What LV-XAttn really holds, run, is what its costs count.
 * @module
 */
import { afterAll, describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { closeWorkers, runLvXattn } from '../run.ts';
import { heldOfEqual } from './held.ts';
import { AS_RUN } from './workload.ts';

afterAll(closeWorkers);

const F64 = { element_bytes: 8, scalar_bytes: 8 };

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
        const backwardSends = sends === 'D' ? 'delta' : 'output';
        const held = (['forward', 'backward'] as const).map((direction) =>
          heldOfEqual('lv-xattn', direction, w, { ...AS_RUN, backwardSends }),
        );
        const { peakBytes } = await runLvXattn(c, how);
        expect(peakBytes).toEqual(each(Math.max(...held)));
      }
    });
  }
});
