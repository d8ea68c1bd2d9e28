import { describe, expect, it } from 'vitest';
import type { AttentionCase, OutputName, Partition } from '../../reference/case/case.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { FEATURE_CASES } from '../../reference/testing/feature-cases.ts';
import { judge } from '../../reference/verdict/judge.ts';
import { run } from '../run.ts';
import type { RunOptions } from '../run-options.ts';
import { SCHEDULE_NAMES, type ScheduleName } from './index.ts';

async function verdictOf(attentionCase: AttentionCase, options: RunOptions): Promise<string> {
  const { outputs } = await run(attentionCase, options);
  const profile = options.device === 'reference' ? 'f64' : 'f32';
  const given: GivenOutputs = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    given[name as OutputName] = { dtype: profile === 'f64' ? 'F64' : 'F32', tensor };
  }
  const { verdict, reason } = judge(attentionCase, given, profile);
  return `${verdict}: ${reason}`;
}

/** Uneven and empty blocks. */
function partitionOf(ranks: number, seqQ: number, seqKv: number): Partition {
  const spread = (total: number, first: number): number[] => {
    const sizes = Array.from({ length: ranks }, () => 0);
    for (let n = 0; n < total; n++) sizes[(first + n * 2) % ranks]! += 1;
    return sizes;
  };
  return { ranks, q: spread(seqQ, 1 % ranks), kv: spread(seqKv, ranks - 1) };
}

/** Does the schedule deal heads out? */
const DEALS: readonly ScheduleName[] = ['ulysses', 'head-parallel'];

describe('schedules that deal heads out', () => {
  it('refuse ranks that do not divide them, in a sentence', async () => {
    const c = drawCase(5, { heads: 4, partition: partitionOf(3, 3, 6), seq_q: 3, seq_kv: 6 });
    for (const schedule of DEALS) {
      await expect(
        run(c, { schedule, transport: 'simulated', device: 'reference' }),
      ).rejects.toThrow(
        `"${schedule}" deals heads out to ranks and expected "ranks" to divide "heads", got 3 ranks for 4 heads`,
      );
    }
  });
});

describe.each(SCHEDULE_NAMES)('%s', (schedule) => {
  for (const [feature, changes] of FEATURE_CASES) {
    it(`passes the judge with ${feature}, on every rank count`, async () => {
      const { parameters: plain } = drawCase(5, changes);
      for (const ranks of [1, 2, 3, 4, 5, 6, 7]) {
        if (DEALS.includes(schedule) && plain.heads % ranks !== 0) continue;
        const partition = partitionOf(ranks, plain.seq_q, plain.seq_kv);
        const c = drawCase(5, { ...changes, partition });
        const found = await verdictOf(c, {
          schedule,
          transport: 'simulated',
          device: 'reference',
          seed: ranks,
        });
        expect(`${ranks}: ${found}`).toBe(`${ranks}: pass: within the bounds`);
      }
    });
  }

  it('passes with heads dealt out to any number of ranks, several to a KV head or across two', async () => {
    for (const ranks of [2, 3, 5, 6, 7]) {
      for (const [heads, kv_heads] of [
        [ranks, ranks],
        [ranks, 1],
        [2 * ranks, 2],
        [3 * ranks, ranks],
        [6 * ranks, 3],
        // Three of a rank's heads may read two KV heads, two and one: no equal groups.
        [3 * ranks, 3],
      ] as const) {
        const sizes = { seq_q: 5, seq_kv: 8, batch: 2, sink: true, softcap: 2 };
        const partition = partitionOf(ranks, 5, 8);
        const c = drawCase(7, { ...sizes, heads, kv_heads, partition });
        // Kernels index heads on their own; two and three ranks show it.
        const devices = ranks <= 3 ? (['reference', 'webasm'] as const) : (['reference'] as const);
        for (const device of devices) {
          const found = await verdictOf(c, { schedule, transport: 'simulated', device });
          const where = `${device}, ${ranks}, ${heads} over ${kv_heads}`;
          expect(`${where}: ${found}`).toBe(`${where}: pass: within the bounds`);
        }
      }
    }
  });
});
