/**
 * The closed formulas against the clock and against real runs: bytes of any layout exactly, for every
 * schedule and element size; seconds to rounding where the formulas' assumptions hold (README.md).
 * @module
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { headsFor } from '../labels.ts';
import { closeWorkers, passesOf, run } from '../run.ts';
import type { Direction, Sends } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import {
  DEALS_HEADS,
  SCHEDULE_NAMES,
  SCHEDULES,
  type ScheduleName,
  SENDS_QUERIES,
} from '../schedules/index.ts';
import type { LvXattnOptions } from '../schedules/lv-xattn.ts';
import type { MakeSchedule } from '../schedules/parts.ts';
import type { RingOptions } from '../schedules/ring-attention.ts';
import type { UspOptions } from '../schedules/ulysses.ts';
import { type Simulation, simulate } from '../simulation/clock.ts';
import { stepsOf } from '../simulation/steps.ts';
import type { ElementSizes, Extents } from '../wire.ts';
import { heldBytes } from './held.ts';
import { layoutBytes } from './layout-bytes.ts';
import { exposedSeconds, type Machine, passSeconds } from './machine.ts';
import { bytesSent } from './phases.ts';
import { layerCost } from './schedules.ts';
import { AS_RUN, type Options, type Workload } from './workload.ts';

afterAll(closeWorkers);

const DIRECTIONS = ['forward', 'backward'] as const;
const MACHINE: Machine = {
  ...{ ranks: 1, ranks_per_node: 1, hides_gradients: true },
  ...{ attention_flops_per_s: 1e9, projection_flops_per_s: Number.POSITIVE_INFINITY },
  ...{ dense_flops_per_s: 1e9 },
  ...{ within_node_bytes_per_s: 1e9, between_nodes_bytes_per_s: 1e7 },
  ...{ within_node_latency_s: 0, between_nodes_latency_s: 0, kernel_overhead_s: 0 },
};
const SIZES: readonly ElementSizes[] = [
  { element_bytes: 2, scalar_bytes: 2 },
  { element_bytes: 2, scalar_bytes: 4 },
  { element_bytes: 4, scalar_bytes: 4 },
  { element_bytes: 8, scalar_bytes: 8 },
];

/** Blocks of queries and keys, uneven and empty, and whatever else sizes depend on. */
const layouts = (name: ScheduleName) =>
  fc
    .record({
      blocks: fc.array(fc.tuple(fc.nat(4), fc.nat(5)), { minLength: 1, maxLength: 7 }),
      kv_heads: fc.integer({ min: 1, max: 3 }),
      shared: fc.integer({ min: 1, max: 4 }),
      head_dim: fc.integer({ min: 1, max: 4 }),
      head_dim_v: fc.integer({ min: 1, max: 4 }),
      batch: fc.integer({ min: 1, max: 2 }),
      media: fc.boolean(),
      dLse: fc.boolean(),
      dimY: fc.boolean(),
      sends: fc.constantFrom<'D' | 'O'>(
        ...(SENDS_QUERIES.includes(name) ? (['D', 'O'] as const) : (['D'] as const)),
      ),
      f32: fc.constantFrom(true, false, false),
    })
    .filter(({ blocks, kv_heads, shared }) => {
      const some = [0, 1].every((n) => blocks.some((block) => (block[n] ?? 0) > 0));
      return some && (!DEALS_HEADS.includes(name) || (kv_heads * shared) % blocks.length === 0);
    });

describe.each(SCHEDULE_NAMES)('bytes of %s, sent and held,', (name) => {
  it('are the same by formula, on the clock, and in a run, rank by rank', async () => {
    const seen = { ranks: new Set<number>(), grouped: 0, empty: 0, held: 0 };
    await fc.assert(
      fc.asyncProperty(layouts(name), async (x) => {
        const [q, kv] = [x.blocks.map(([rows]) => rows), x.blocks.map(([, keys]) => keys)];
        const heads = x.kv_heads * x.shared;
        const total = (list: readonly number[]) => list.reduce((sum, n) => sum + n, 0);
        const { batch, head_dim, head_dim_v, kv_heads, dLse, sends } = x;
        const c = drawCase(3, {
          ...{ batch, heads, kv_heads, head_dim, head_dim_v, dLse },
          ...{ seq_q: total(q), seq_kv: total(kv), partition: { ranks: q.length, q, kv } },
          ...(x.media ? { media: 'previous' } : {}),
          ...(x.dimY ? { dim_y: 3 } : {}),
        });
        const device = x.f32 ? 'cpu' : 'reference';
        const how = { schedule: name, sends, transport: 'simulated', device } as const;
        const { log, peakBytes } = await run(c, how);
        const backwardSends = sends === 'O' ? 'output' : 'delta';
        const options = { ...AS_RUN, backwardSends, cotangents: dLse } as const;
        const width = x.f32 ? 4 : 8;
        const heldOf = (direction: Direction, sizes: ElementSizes) =>
          heldBytes(name, direction, c.parameters, sizes, options);
        for (const schedule of passesOf(c, name, { sends })) {
          const { direction } = schedule;
          const bytesOf = (sizes: ElementSizes) =>
            layoutBytes(name, direction, c.parameters, sizes, options);
          const ran = q.map((_, rank) =>
            total(
              log
                .filter((one) => one.rank === rank && one.direction === direction)
                .map((one) => (one.operation.op === 'send' ? width * one.elements : 0)),
            ),
          );
          expect(bytesOf({ element_bytes: width, scalar_bytes: width })).toEqual(ran);
          for (const sizes of SIZES) {
            const programs = stepsOf(c.parameters, schedule, MACHINE, sizes);
            const { bytes_sent, peak_bytes } = simulate(programs, MACHINE);
            expect(bytesOf(sizes)).toEqual(bytes_sent);
            expect(heldOf(direction, sizes)).toEqual(peak_bytes);
          }
        }
        const most = DIRECTIONS.map((direction) =>
          heldOf(direction, { element_bytes: width, scalar_bytes: width }),
        );
        // What a run cuts whole is the same numbers, not a copy of them.
        const group = name === 'usp' ? uspGroup({ ranks: q.length, heads }) : q.length;
        const deals = ['ulysses', 'head-parallel', 'usp'].includes(name);
        const reads = Math.max(
          ...Array.from({ length: group }, (_, member) => {
            const [from, to] = [member * heads, (member + 1) * heads].map((n) => n / group);
            const range = headsFor(from!, to!, heads, kv_heads);
            return range.to - range.from;
          }),
        );
        const whole = deals && (group === 1 || x.media || reads === kv_heads);
        q.forEach((_, rank) => {
          const held = Math.max(...most.map((ranks) => ranks[rank] ?? 0));
          if (whole) expect(peakBytes[rank]).toBeLessThanOrEqual(held);
          else expect(peakBytes[rank]).toBe(held);
        });
        if (!whole) seen.held++;
        seen.ranks.add(q.length);
        if (x.shared > 1 && kv_heads > 1) seen.grouped++;
        if (q.includes(0) || kv.includes(0)) seen.empty++;
      }),
      { seed: 21, numRuns: 40 },
    );
    expect(seen.ranks.size).toBeGreaterThanOrEqual(DEALS_HEADS.includes(name) ? 4 : 7);
    expect(Math.min(seen.grouped, seen.empty)).toBeGreaterThan(4);
    expect(seen.held).toBeGreaterThan(1);
  });
});

/** How a schedule can be done, and what the formulas call it. */
interface Way {
  readonly name: ScheduleName;
  readonly what: string;
  readonly options: Options;
  readonly scheduled: { readonly sends?: Sends } & Pick<RingOptions, 'expanded'> &
    Pick<LvXattnOptions, 'overlap'>;
}

const WAYS: readonly Way[] = [
  ...SCHEDULE_NAMES.map((name) => ({ name, what: 'as run', options: AS_RUN, scheduled: {} })),
  ...SENDS_QUERIES.map((name): Way => {
    const options = { ...AS_RUN, backwardSends: 'output' } as const;
    return { name, what: 'with O', options, scheduled: { sends: 'O' } };
  }),
  {
    ...{ name: 'ring-attention', what: 'with heads expanded', scheduled: { expanded: true } },
    options: { ...AS_RUN, expandedHeads: true },
  },
  {
    ...{ name: 'lv-xattn', what: 'without overlap', scheduled: { overlap: false } },
    options: { ...AS_RUN, overlap: false },
  },
];

const rates = fc.constantFrom(1, 30, 1e3);
const workloads = ({ name }: Way) =>
  fc
    .record({
      ranks: fc.integer({ min: 1, max: 12 }),
      oneNode: fc.boolean(),
      rows: fc.integer({ min: 1, max: 9 }),
      keys: fc.integer({ min: 1, max: 40 }),
      kv_heads: fc.constantFrom(1, 2, 3, 4, 6, 12),
      shared: fc.integer({ min: 1, max: 3 }),
      head_dim: fc.integer({ min: 1, max: 8 }),
      sizes: fc.constantFrom(...SIZES),
      rates: fc.tuple(rates, rates),
      latency: fc.constantFrom(0, 1, 40),
      overhead: fc.constantFrom(0, 3),
    })
    .map(({ oneNode, rows, keys, shared, sizes, ...x }) => ({
      ...{ ...x, ...sizes, heads: x.kv_heads * shared, hidden: 7, visual_dim: 5 },
      ...{ ranks_per_node: oneNode ? x.ranks : 1, seq_q: rows * x.ranks, seq_kv: keys * x.ranks },
    }))
    .filter((w) => {
      if (DEALS_HEADS.includes(name) && w.heads % w.ranks !== 0) return false;
      // Every rank reads as many KV heads as any other.
      const group = name === 'usp' ? uspGroup(w) : name === 'ulysses' ? w.ranks : 1;
      return w.kv_heads % group === 0 || group % w.kv_heads === 0;
    });

/** The clock's pass of equal blocks. */
function clocked(
  { name, scheduled }: Way,
  w: Workload,
  direction: Direction,
  machine: Machine,
): Simulation {
  const each = (total: number) => new Array<number>(w.ranks).fill(total / w.ranks);
  const partition = { ranks: w.ranks, q: each(w.seq_q), kv: each(w.seq_kv) };
  const e: Extents = {
    ...{ batch: 1, heads: w.heads, kv_heads: w.kv_heads, media: null, partition },
    ...{ head_dim: w.head_dim, head_dim_v: w.head_dim },
  };
  const make: MakeSchedule<UspOptions & Way['scheduled']> = SCHEDULES[name];
  // Of nodes only the plan knows; without them, what a run does when it is told nothing.
  const nodes = w.ranks_per_node > 1 ? { group: uspGroup(w) } : {};
  const schedule = make(partition, direction, { ...scheduled, heads: w.heads, ...nodes });
  return simulate(stepsOf(e, schedule, machine, w), machine);
}

describe.each(WAYS)('seconds of $name $what', (way) => {
  it('are the same by formula and on the clock, and so are exposed ones and bytes', () => {
    const ranks = new Set<number>();
    fc.assert(
      fc.property(workloads(way), ({ rates: [computing, sending], latency, overhead, ...w }) => {
        const machine: Machine = {
          ...{ ...MACHINE, ranks: w.ranks, ranks_per_node: w.ranks_per_node },
          ...{ attention_flops_per_s: computing, kernel_overhead_s: overhead },
          ...{ within_node_bytes_per_s: sending, between_nodes_bytes_per_s: sending },
          ...{ within_node_latency_s: latency, between_nodes_latency_s: latency },
        };
        const cost = layerCost(way.name, w, { ...way.options, recomputes: false });
        for (const direction of DIRECTIONS) {
          const { seconds, waiting_s, bytes_sent } = clocked(way, w, direction, machine);
          const formula = passSeconds(machine, cost[direction]);
          expect(Math.abs(seconds - formula)).toBeLessThanOrEqual(1e-12 * formula);
          const exposed = exposedSeconds(machine, cost[direction]);
          for (const waited of waiting_s) {
            expect(Math.abs(waited - exposed)).toBeLessThanOrEqual(1e-11 * formula);
          }
          const sent = bytesSent(cost[direction]);
          expect(new Set(bytes_sent)).toEqual(new Set([sent]));
        }
        ranks.add(w.ranks);
      }),
      { seed: 22, numRuns: 100 },
    );
    expect(ranks.size).toBeGreaterThanOrEqual(DEALS_HEADS.includes(way.name) ? 6 : 12);
  });
});
