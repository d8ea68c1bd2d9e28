import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { endingOf, planArbitrary, type Target, targets } from '../testing/fault-plans.ts';
import type { Fault, MessageName } from './faults.ts';

let all: Target[];
beforeAll(async () => {
  all = await targets();
});

describe('faults', () => {
  it('end in the right bits or in an error that says where, 10⁴ plans', async () => {
    const endings = { right: 0, error: 0 };
    await fc.assert(
      fc.asyncProperty(planArbitrary(all), async (plan) => {
        endings[await endingOf(plan)]++;
      }),
      { seed: 41, numRuns: 10_000 },
    );
    // Neither way of ending is the only one.
    expect(endings.right).toBeGreaterThan(1000);
    expect(endings.error).toBeGreaterThan(1000);
  });

  it('change nothing where messages are only late, or overtake others on another lane', async () => {
    for (const target of all) {
      const late = (message: MessageName, n: number): Fault =>
        n % 2 === 0
          ? { kind: 'delay', message, turns: 1 + (n % 37) }
          : { kind: 'reorder', message };
      const faults = target.messages.map(late);
      for (const seed of [1, 2, 3]) expect(await endingOf({ target, seed, faults })).toBe('right');
    }
  });

  it('are told from every single corruption, of every message', async () => {
    const target = all.find(({ name }) => name.includes('"q":[2,2]'))!;
    for (const message of target.messages) {
      for (const what of [
        { of: 'payload', bit: 77 },
        { of: 'length', by: 1 },
        ...(['kind', 'direction', 'blocks', 'heads', 'merged'] as const).map(
          (field) => ({ of: 'label', field, by: 1 }) as const,
        ),
        ...(['from', 'to', 'lane', 'pass', 'step', 'sequence', 'stamp', 'checksum'] as const).map(
          (field) => ({ of: 'header', field, by: 1 }) as const,
        ),
      ] as const) {
        const faults: Fault[] = [{ kind: 'corrupt', message, what }];
        expect(await endingOf({ target, seed: 1, faults })).toBe('error');
      }
    }
  });
});
