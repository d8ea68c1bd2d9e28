import { describe, expect, it } from 'vitest';
import { type CaseChanges, drawCase } from '../reference/case/draw-case.ts';
import { FEATURE_CASES } from '../reference/testing/feature-cases.ts';
import { deviceOf } from './device/choose.ts';
import { distribute } from './distribute.ts';
import type { RankResult } from './rank.ts';
import { runOnOneThread } from './run.ts';
import type { Direction, Operation, Schedule } from './schedule.ts';
import { SCHEDULE_NAMES, SCHEDULES, type ScheduleName } from './schedules/index.ts';
import type { MakeSchedule } from './schedules/parts.ts';

const RANKS = 3;
const partition = { ranks: RANKS, q: [3, 0, 1], kv: [2, 7, 0] };
const DEVICES = ['reference', 'webasm'] as const;
type Change = (operation: Operation) => Operation[];

/** What the same ranks have after passes in the given directions, their operations changed. */
async function ranksAfter(
  changes: CaseChanges,
  device: (typeof DEVICES)[number],
  directions: readonly Direction[],
  change: Change = (operation) => [operation],
  name: ScheduleName = 'lv-xattn',
): Promise<readonly RankResult[]> {
  const c = drawCase(11, { ...changes, seq_q: 4, seq_kv: 9, partition });
  const { dim_y, heads } = c.parameters;
  const make: MakeSchedule = SCHEDULES[name];
  const passes = directions.map((direction): Schedule => {
    const schedule = make(partition, direction, { recompute: dim_y !== undefined, heads });
    return { ...schedule, ranks: schedule.ranks.map((list) => list.flatMap(change)) };
  });
  const shards = distribute(c, device === 'reference' ? 'f64' : 'f32');
  return (await runOnOneThread(shards, passes, deviceOf(device), { seed: 3 })).results;
}

/** Every such operation done twice; tells how many there were. */
function doubling(op: Operation['op']): { readonly change: Change; readonly count: () => number } {
  let count = 0;
  const change: Change = (operation) => {
    if (operation.op !== op) return [operation];
    count++;
    return [operation, operation];
  };
  return { change, count: () => count };
}

const BOTH = ['forward', 'backward'] as const;
const AGAIN = [
  [...BOTH, ...BOTH],
  [...BOTH, 'backward'],
  ['forward', ...BOTH],
] as const;

describe('a rank that runs pass after pass', () => {
  for (const [feature, changes] of FEATURE_CASES) {
    it(`has the bits of its last forward and backward pass alone, with ${feature}`, async () => {
      for (const device of DEVICES) {
        const once = await ranksAfter(changes, device, BOTH);
        expect(once.some(({ dV, dQ, dSink }) => [...dV, ...dQ, ...dSink].some(Boolean))).toBe(true);
        for (const directions of AGAIN) {
          expect(await ranksAfter(changes, device, directions)).toEqual(once);
        }
        const forward = await ranksAfter(changes, device, ['forward']);
        expect(await ranksAfter(changes, device, ['forward', 'forward'])).toEqual(forward);
        // A forward pass makes the gradients of the one before stale: they are gone.
        expect(await ranksAfter(changes, device, [...BOTH, 'forward'])).toEqual(forward);
      }
    });

    // Each of these sets what it writes. What adds (computeBlock with sums, merge) and what travels
    // (send, receive) means something else when it is done twice.
    const recomputes = changes.dim_y !== undefined;
    for (const op of [
      ...(recomputes ? (['recomputeKV', 'projectGradients'] as const) : (['loadKeys'] as const)),
      ...(['loadQuery', 'initResult', 'initGradients', 'finish'] as const),
    ]) {
      it(`has the bits of once when it does ${op} twice, with ${feature}`, async () => {
        for (const device of DEVICES) {
          const once = await ranksAfter(changes, device, BOTH);
          const { change, count } = doubling(op);
          expect(await ranksAfter(changes, device, BOTH, change)).toEqual(once);
          expect(count()).toBeGreaterThan(0);
        }
      });
    }
  }
});

describe.each(SCHEDULE_NAMES)('a rank that runs passes of %s', (name) => {
  // Three ranks, each with two query heads; the second of them reads both KV heads.
  const changes = { heads: 6, kv_heads: 2, sink: true, bias: [1, 6, 4, 9] };
  const resultsOf = (directions: readonly Direction[], change?: Change) =>
    ranksAfter(changes, 'reference', directions, change, name);

  it('has the bits of its last forward and backward pass alone', async () => {
    const once = await resultsOf(BOTH);
    for (const directions of AGAIN) expect(await resultsOf(directions)).toEqual(once);
  });

  it('has the bits of once when it loads, starts, cuts, joins, lets go or finishes twice', async () => {
    const once = await resultsOf(BOTH);
    const cuts = ['takeBlocks', 'takeHeads', 'padHeads', 'join', 'release'] as const;
    for (const op of [
      ...cuts,
      ...(['loadKeys', 'loadQuery', 'initResult', 'initGradients', 'finish'] as const),
    ]) {
      expect(await resultsOf(BOTH, doubling(op).change)).toEqual(once);
    }
  });

  it('has not the bits of once when it adds a share twice', async () => {
    const once = await resultsOf(BOTH);
    const { change, count } = doubling('computeBlock');
    const sums = (results: readonly RankResult[]) => results.map(({ dK }) => dK);
    const twice = await resultsOf(BOTH, change);
    expect(count()).toBeGreaterThan(0);
    expect(sums(twice)).not.toEqual(sums(once));
  });
});
