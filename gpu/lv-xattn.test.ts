import { afterAll, describe, expect, it } from 'vitest';
import type { AttentionCase, OutputName, Partition } from '../reference/case/case.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import type { GivenOutputs } from '../reference/case/given.ts';
import { toFlat } from '../reference/numbers/tensor.ts';
import { FEATURE_CASES } from '../reference/testing/feature-cases.ts';
import { judge } from '../reference/verdict/judge.ts';
import { closeWorkers, runLvXattn } from './run.ts';
import type { RunOptions } from './run-options.ts';

afterAll(closeWorkers);

async function verdictOf(attentionCase: AttentionCase, options: RunOptions): Promise<string> {
  const { outputs } = await runLvXattn(attentionCase, options);
  const profile = options.device === 'reference' ? 'f64' : 'f32';
  const given: GivenOutputs = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    given[name as OutputName] = { dtype: profile === 'f64' ? 'F64' : 'F32', tensor };
  }
  const { verdict, reason } = judge(attentionCase, given, profile);
  return `${verdict}: ${reason}`;
}

/** Splits of Sq rows and Skv keys over ranks, even, uneven, and with empty shards. */
function partitions(seqQ: number, seqKv: number): Partition[] {
  const spread = (total: number, ranks: number, first: number): number[] => {
    const sizes = Array.from({ length: ranks }, () => 0);
    for (let n = 0; n < total; n++) sizes[(first + n * 2) % ranks]! += 1;
    return sizes;
  };
  return [1, 2, 3, 4, 5, 7].map((ranks) => ({
    ranks,
    q: spread(seqQ, ranks, 1 % ranks),
    kv: spread(seqKv, ranks, ranks - 1),
  }));
}

describe('LV-XAttn', () => {
  for (const [feature, changes] of FEATURE_CASES) {
    it(`passes the judge with ${feature}, on every rank count, on the reference device and webasm`, async () => {
      const plain = drawCase(5, changes);
      for (const partition of partitions(plain.parameters.seq_q, plain.parameters.seq_kv)) {
        const c = drawCase(5, { ...changes, partition });
        for (const device of ['reference', 'webasm'] as const) {
          const verdict = await verdictOf(c, { transport: 'simulated', device });
          expect(`${device} ${partition.ranks}: ${verdict}`).toBe(
            `${device} ${partition.ranks}: pass: within the bounds`,
          );
        }
      }
    });
  }

  it('passes on the cpu backend', async () => {
    for (const [, changes] of FEATURE_CASES.slice(0, 12)) {
      expect(await verdictOf(drawCase(6, changes), { transport: 'simulated', device: 'cpu' })).toBe(
        'pass: within the bounds',
      );
    }
  });

  it('gives the same bits on worker threads as under any simulated interleaving', async () => {
    const everything = FEATURE_CASES.find(([name]) => name === 'everything')![1];
    for (const ranks of [1, 2, 3, 5]) {
      const partition = partitions(4, 9).find((one) => one.ranks === ranks)!;
      const c = drawCase(9, { ...everything, partition });
      const threads = await runLvXattn(c, { transport: 'threads', device: 'webasm' });
      expect(threads.backend).toBe('webasm');
      for (const seed of [0, 1, 2, 3]) {
        const simulated = await runLvXattn(c, { transport: 'simulated', device: 'webasm', seed });
        for (const [name, tensor] of Object.entries(threads.outputs)) {
          expect(toFlat(simulated.outputs[name as OutputName]!)).toEqual(toFlat(tensor));
        }
      }
    }
  });

  it('says which backend ran', async () => {
    const c = drawCase(1, {});
    for (const device of ['webasm', 'cpu', 'reference'] as const) {
      const { backend } = await runLvXattn(c, { transport: 'simulated', device });
      expect(backend).toBe(device);
    }
  });
});
