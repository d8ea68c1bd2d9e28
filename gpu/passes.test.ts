import { describe, expect, it } from 'vitest';
import { drawCase } from '../reference/draw-case.ts';
import { FEATURE_CASES } from '../reference/testing/feature-cases.ts';
import { distribute } from './distribute.ts';
import type { RankResult } from './rank.ts';
import { runSimulated } from './run.ts';
import type { Direction, Operation, Schedule } from './schedule.ts';
import { lvXattnSchedule } from './schedules/lv-xattn.ts';

const RANKS = 3;
const partition = { ranks: RANKS, q: [3, 0, 1], kv: [2, 7, 0] };
const DEVICES = ['reference', 'webasm'] as const;

/** What the same ranks have after passes in the given directions, their operations changed. */
function ranksAfter(
  changes: Parameters<typeof drawCase>[1],
  device: (typeof DEVICES)[number],
  directions: readonly Direction[],
  change: (operation: Operation) => Operation[] = (operation) => [operation],
): readonly RankResult[] {
  const c = drawCase(11, { ...changes, seq_q: 4, seq_kv: 9, partition });
  const recompute = c.parameters.dim_y !== undefined;
  const passes = directions.map((direction): Schedule => {
    const schedule = lvXattnSchedule(partition, direction, { recompute });
    return { ...schedule, ranks: schedule.ranks.map((list) => list.flatMap(change)) };
  });
  const shards = distribute(c, device === 'reference' ? 'f64' : 'f32');
  return runSimulated(shards, passes, device, { seed: 3 }).results;
}

describe('a rank that runs pass after pass', () => {
  for (const [feature, changes] of FEATURE_CASES) {
    it(`has the bits of its last forward and backward pass alone, with ${feature}`, () => {
      for (const device of DEVICES) {
        const once = ranksAfter(changes, device, ['forward', 'backward']);
        expect(once.some(({ dV, dQ, dSink }) => [...dV, ...dQ, ...dSink].some(Boolean))).toBe(true);
        for (const directions of [
          ['forward', 'backward', 'forward', 'backward'],
          ['forward', 'backward', 'backward'],
          ['forward', 'forward', 'backward'],
        ] as const) {
          expect(ranksAfter(changes, device, directions)).toEqual(once);
        }
        const forward = ranksAfter(changes, device, ['forward']);
        expect(ranksAfter(changes, device, ['forward', 'forward'])).toEqual(forward);
        // A forward pass makes the gradients of the one before stale: they are gone.
        expect(ranksAfter(changes, device, ['forward', 'backward', 'forward'])).toEqual(forward);
      }
    });

    for (const op of [
      'recomputeKV',
      'loadQuery',
      'initResult',
      'finish',
      'projectGradients',
    ] as const) {
      it(`has the bits of once when it does ${op} twice, with ${feature}`, () => {
        const twice = (operation: Operation) =>
          operation.op === op ? [operation, operation] : [operation];
        const directions = ['forward', 'backward'] as const;
        for (const device of DEVICES) {
          const once = ranksAfter(changes, device, directions);
          expect(ranksAfter(changes, device, directions, twice)).toEqual(once);
        }
      });
    }
  }
});
