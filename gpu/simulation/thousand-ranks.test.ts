/**
 * 1,024 ranks, forward and backward, against the formulas: no special case for equal blocks, so that
 * what holds of them here is what is simulated of any.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { layoutBytes } from '../costs/layout-bytes.ts';
import { exposedSeconds, type Machine, passSeconds } from '../costs/machine.ts';
import { layerCost } from '../costs/schedules.ts';
import { AS_RUN, type Workload } from '../costs/workload.ts';
import { lvXattn } from '../schedules/lv-xattn.ts';
import { simulate } from './clock.ts';
import { stepsOf } from './steps.ts';

const RANKS = 1024;
const MACHINE: Machine = {
  ...{ ranks: RANKS, ranks_per_node: 1, hides_gradients: true },
  ...{ attention_flops_per_s: 1e10, projection_flops_per_s: Number.POSITIVE_INFINITY },
  ...{ dense_flops_per_s: 1e9, within_node_bytes_per_s: 1e9, between_nodes_bytes_per_s: 1e8 },
  ...{ within_node_latency_s: 0, between_nodes_latency_s: 2e-6, kernel_overhead_s: 5e-6 },
};
const LAYER: Workload = {
  ...{ ranks: RANKS, ranks_per_node: 1, seq_q: 8 * RANKS, seq_kv: 64 * RANKS },
  ...{ heads: 6, kv_heads: 6, head_dim: 16, hidden: 96, visual_dim: 96 },
  ...{ element_bytes: 2, scalar_bytes: 4 },
};
const SIZES = { batch: 1, heads: 6, kv_heads: 6, media: null, head_dim: 16, head_dim_v: 16 };

describe('1,024 ranks on the clock', () => {
  it('take, expose and send what the formulas say, of equal blocks', () => {
    const partition = {
      ...{ ranks: RANKS, q: new Array<number>(RANKS).fill(8) },
      kv: new Array<number>(RANKS).fill(64),
    };
    const options = { ...AS_RUN, recomputes: false };
    const cost = layerCost('lv-xattn', LAYER, options);
    for (const direction of ['forward', 'backward'] as const) {
      const schedule = lvXattn(partition, direction);
      const programs = stepsOf({ ...SIZES, partition }, schedule, MACHINE, LAYER);
      const { seconds, waiting_s, bytes_sent } = simulate(programs, MACHINE);
      const formula = passSeconds(MACHINE, cost[direction]);
      expect(Math.abs(seconds / formula - 1)).toBeLessThan(1e-11);
      const exposed = exposedSeconds(MACHINE, cost[direction]);
      expect(Math.abs(Math.max(...waiting_s) - exposed)).toBeLessThan(1e-11 * formula);
      // A row ahead: q; backward dO, LSE and delta too. Behind: O and LSE; dQ.
      const [ahead, behind] = direction === 'forward' ? [192, 216] : [2 * 192 + 2 * 24, 192];
      const sent = 8 * ((RANKS - 1) * ahead + RANKS * behind);
      expect(new Set(bytes_sent)).toEqual(new Set([sent]));
    }
  });

  it('send what uneven blocks hold, rank by rank', () => {
    const q = Array.from({ length: RANKS }, (_, rank) => (rank * 7) % 5);
    const kv = Array.from({ length: RANKS }, (_, rank) => 60 + (rank % 9));
    const partition = { ranks: RANKS, q, kv };
    const schedule = lvXattn(partition, 'forward');
    const machine = { ...MACHINE, ranks_per_node: 8 };
    const programs = stepsOf({ ...SIZES, partition }, schedule, machine, LAYER);
    const { bytes_sent, compute_s } = simulate(programs, machine);
    expect(bytes_sent).toEqual(
      layoutBytes('lv-xattn', 'forward', { ...SIZES, partition }, LAYER, AS_RUN),
    );
    // Every rank meets every row; blocks without rows start nothing.
    const [rows, started] = [q.reduce((sum, n) => sum + n, 0), q.filter((n) => n > 0).length];
    compute_s.forEach((seconds, rank) => {
      const flops = 4 * rows * kv[rank]! * 96;
      expect(seconds).toBeCloseTo(flops / 1e10 + started * 5e-6, 9);
    });
  });
});
