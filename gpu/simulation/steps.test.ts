/**
 * Schedules on the clock: what is sent is what a run sends, and what the formulas say.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { exposedSeconds, type Machine, passSeconds } from '../costs/machine.ts';
import { layerCost } from '../costs/schedules.ts';
import { AS_PUBLISHED, type Workload } from '../costs/workload.ts';
import { passesOf, run } from '../run.ts';
import { SCHEDULE_NAMES, SCHEDULES, SENDS_QUERIES } from '../schedules/index.ts';
import type { MakeSchedule } from '../schedules/parts.ts';
import { simulate } from './clock.ts';
import { stepsOf } from './steps.ts';

const MACHINE: Machine = {
  ...{ ranks: 4, ranks_per_node: 1, hides_gradients: true },
  ...{ attention_flops_per_s: 1e9, projection_flops_per_s: Number.POSITIVE_INFINITY },
  ...{ dense_flops_per_s: 1e9 },
  ...{ within_node_bytes_per_s: 1e9, between_nodes_bytes_per_s: 1e7 },
  ...{ within_node_latency_s: 0, between_nodes_latency_s: 0, kernel_overhead_s: 0 },
};
const F64 = { element_bytes: 8, scalar_bytes: 8 };

const WITH_O = SENDS_QUERIES.map((name) => [name, 'O'] as const);
const ALL = [...SCHEDULE_NAMES.map((name) => [name, 'D'] as const), ...WITH_O];

describe.each(ALL)('%s with %s on the clock', (schedule, sends) => {
  for (const changes of [
    { partition: { ranks: 4, q: [3, 0, 2, 1], kv: [2, 5, 1, 1] } },
    { partition: { ranks: 2, q: [1, 5], kv: [9, 0] }, dim_y: 3, batch: 2 },
  ]) {
    it(`sends and holds what a run does, blocks ${changes.partition.kv.join(' ')}`, async () => {
      const c = drawCase(3, {
        ...{ heads: 4, kv_heads: 2, head_dim: 5, head_dim_v: 7, seq_q: 6, seq_kv: 9 },
        ...changes,
      });
      const how = { schedule, sends, transport: 'simulated', device: 'reference' } as const;
      const { log, peakBytes } = await run(c, how);
      const passes = passesOf(c, schedule, { sends }).map((pass) =>
        simulate(stepsOf(c.parameters, pass, MACHINE, F64), MACHINE),
      );
      const ranks = changes.partition.q.map((_, rank) => rank);
      for (const [pass, { bytes_sent }] of passes.entries()) {
        const sent = ranks.map((rank) =>
          log
            .filter((one) => one.rank === rank && one.pass === pass && one.operation.op === 'send')
            .reduce((sum, { elements }) => sum + 8 * elements, 0),
        );
        expect(bytes_sent).toEqual(sent);
      }
      const peaks = ranks.map((rank) => Math.max(...passes.map((pass) => pass.peak_bytes[rank]!)));
      expect(peaks).toEqual(peakBytes);
    });
  }
});

/** One layer of equal blocks. */
const workload = (ranks: number): Workload => ({
  ...{ ranks, ranks_per_node: 1, seq_q: 8 * ranks, seq_kv: 64 * ranks },
  ...{ heads: 12, kv_heads: 12, head_dim: 16, hidden: 192, visual_dim: 192 },
  ...{ element_bytes: 2, scalar_bytes: 4 },
});

/** Machines that compute long, send long, and both, with delays and without. */
const RATES = [1e8, 1e10, 1e12].flatMap((attention_flops_per_s) => [
  { attention_flops_per_s },
  { attention_flops_per_s, between_nodes_latency_s: 3e-4, kernel_overhead_s: 2e-5 },
]);

describe('the clock and the formulas', () => {
  for (const [name, sends] of [
    ['lv-xattn', 'D'],
    ['lv-xattn', 'O'],
    ['ring-attention', 'D'],
  ] as const) {
    for (const ranks of [1, 2, 3, 4, 6]) {
      it(`say the same of ${name} with ${sends} on ${ranks} ranks`, () => {
        const w = workload(ranks);
        const partition = {
          ranks,
          q: new Array<number>(ranks).fill(8),
          kv: new Array<number>(ranks).fill(64),
        };
        const e = {
          ...{ batch: 1, heads: w.heads, kv_heads: w.kv_heads, media: null, partition },
          ...{ head_dim: w.head_dim, head_dim_v: w.head_dim },
        };
        const backwardSends = sends === 'D' ? 'delta' : 'output';
        const options = { ...AS_PUBLISHED, backwardSends, recomputes: false } as const;
        const cost = layerCost(name, w, options);
        const make: MakeSchedule = SCHEDULES[name];
        for (const rates of RATES) {
          const machine = { ...MACHINE, ranks, ...rates };
          for (const direction of ['forward', 'backward'] as const) {
            const steps = stepsOf(e, make(partition, direction, { sends }), machine, w);
            const { seconds, waiting_s } = simulate(steps, machine);
            const exposed = exposedSeconds(machine, cost[direction]);
            expect(Math.abs(Math.max(...waiting_s) - exposed)).toBeLessThan(1e-12 * seconds);
            const formula = passSeconds(machine, cost[direction]);
            expect(Math.abs(seconds - formula) / formula).toBeLessThan(1e-12);
          }
        }
      });
    }
  }
});
