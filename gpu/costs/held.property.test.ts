/**
 * What buffers hold by formula against the clock's, to the byte: any layout, group and KV heads, with
 * O and D, heads expanded, and of equal blocks. Real runs are in bytes.property.test.ts.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEALS_HEADS,
  SCHEDULE_NAMES,
  SCHEDULES,
  type ScheduleName,
  SENDS_QUERIES,
} from '../schedules/index.ts';
import type { MakeSchedule } from '../schedules/parts.ts';
import type { RingOptions } from '../schedules/ring-attention.ts';
import type { UspOptions } from '../schedules/ulysses.ts';
import { simulate } from '../simulation/clock.ts';
import { stepsOf } from '../simulation/steps.ts';
import { CLUSTERS } from './clusters.ts';
import { heldBytes, heldOfEqual } from './held.ts';
import { nominalMachine } from './machine.ts';
import { AS_RUN, extentsOf, type Workload } from './workload.ts';

const DIRECTIONS = ['forward', 'backward'] as const;
const MACHINE = nominalMachine(CLUSTERS[0]!);

const divides = (group: number, ...numbers: readonly number[]): boolean =>
  numbers.every((n) => n % group === 0);

/** Sizes of a layer over some ranks, whose heads its schedule can deal out. */
const layers = (name: ScheduleName) =>
  fc
    .record({
      blocks: fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { minLength: 1, maxLength: 12 }),
      equal: fc.constantFrom(false, false, true),
      kv_heads: fc.constantFrom(1, 2, 3, 4, 6, 12),
      shared: fc.constantFrom(1, 2, 3, 4),
      head_dim: fc.integer({ min: 1, max: 4 }),
      head_dim_v: fc.integer({ min: 1, max: 4 }),
      batch: fc.integer({ min: 1, max: 3 }),
      media: fc.constantFrom(null, 'previous' as const),
      element_bytes: fc.constantFrom(2, 4),
      group: fc.constantFrom(1, 2, 3, 4, 6, 12),
      sends: fc.constantFrom('D', 'O', 'O, dLSE'),
      expanded: fc.boolean(),
    })
    .filter(({ blocks: { length: ranks }, group, ...x }) => {
      const heads = x.kv_heads * x.shared;
      if (name === 'usp') return divides(group, ranks, heads);
      return !DEALS_HEADS.includes(name) || divides(ranks, heads);
    });

describe.each(SCHEDULE_NAMES)('buffers of %s', (name) => {
  it('hold what the formula says, rank by rank and of equal blocks', () => {
    const seen = { ranks: new Set<number>(), grouped: 0, equal: 0 };
    fc.assert(
      fc.property(layers(name), ({ blocks, equal, shared, element_bytes, group, ...x }) => {
        const ranks = blocks.length;
        const sizesOf = (n: 0 | 1): number[] =>
          blocks.map((block) => (equal ? blocks[0]! : block)[n]);
        const [q, kv] = [sizesOf(0), sizesOf(1)];
        const heads = x.kv_heads * shared;
        const e = { ...x, heads, partition: { ranks, q, kv } };
        const sizes = { element_bytes, scalar_bytes: 4 };
        const sends = SENDS_QUERIES.includes(name) ? (x.sends as 'D' | 'O' | 'O, dLSE') : 'D';
        const expanded = name === 'ring-attention' && x.expanded;
        const how = {
          ...{ ...AS_RUN, expandedHeads: expanded, cotangents: sends === 'O, dLSE' },
          ...({ backwardSends: sends === 'D' ? 'delta' : 'output', group } as const),
        };
        const make: MakeSchedule<UspOptions & RingOptions> = SCHEDULES[name];
        for (const direction of DIRECTIONS) {
          const schedule = make(e.partition, direction, { heads, sends, expanded, group });
          const { peak_bytes } = simulate(stepsOf(e, schedule, MACHINE, sizes), MACHINE);
          expect(heldBytes(name, direction, e, sizes, how)).toEqual(peak_bytes);
          if (!equal || sends === 'O, dLSE') continue;
          const w: Workload = {
            ...{ ranks, ranks_per_node: 1, heads, kv_heads: x.kv_heads, head_dim: x.head_dim },
            ...{ seq_q: ranks * q[0]!, seq_kv: ranks * kv[0]!, hidden: 1, visual_dim: 1, group },
            ...sizes,
          };
          const alone = { ...extentsOf(w), partition: e.partition };
          const clocked = simulate(stepsOf(alone, schedule, MACHINE, sizes), MACHINE).peak_bytes;
          expect(heldOfEqual(name, direction, w, how)).toBe(Math.max(...clocked));
          seen.equal++;
        }
        seen.ranks.add(ranks);
        if (shared > 1 && x.kv_heads > 1) seen.grouped++;
      }),
      { seed: 23, numRuns: 150 },
    );
    expect(seen.ranks.size).toBeGreaterThanOrEqual(DEALS_HEADS.includes(name) ? 6 : 10);
    expect(Math.min(seen.grouped, seen.equal)).toBeGreaterThan(20);
  });
});
