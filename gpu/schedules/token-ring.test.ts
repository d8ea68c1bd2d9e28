/**
 * TokenRing on the clock: what goes home beside computing is not waited for, and what it costs in
 * buffers is what the formula says.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../costs/machine.ts';
import { memoryOf } from '../costs/memory.ts';
import type { Workload } from '../costs/workload.ts';
import type { Operation, Schedule } from '../schedule.ts';
import { simulate } from '../simulation/clock.ts';
import { stepsOf } from '../simulation/steps.ts';
import type { Extents } from '../wire.ts';
import { tokenRingSchedule } from './pass-q.ts';

const DIRECTIONS = ['forward', 'backward'] as const;
const SIZES = { element_bytes: 4, scalar_bytes: 4 } as const;

/** The same, each partial result waited for right after the computation that it is of. */
function waiting(schedule: Schedule): Schedule {
  const rewritten = schedule.ranks.map((list) => {
    const isResult = (o: Operation | undefined) =>
      (o?.op === 'send' || o?.op === 'receive') && o.lane === 'result';
    const sends = list.filter((o) => isResult(o) && o.op === 'send');
    // A result that came is merged and let go.
    const taken = list.flatMap((o, n) =>
      isResult(o) && o.op === 'receive' ? [list.slice(n, n + 3)] : [],
    );
    const moved = new Set<Operation>([...sends, ...taken.flat()]);
    let round = 0;
    return list.flatMap((o): Operation[] => {
      if (moved.has(o)) return [];
      if (o.op !== 'computeBlock' || round++ === 0) return [o];
      return [o, ...sends.slice(round - 2, round - 1), ...(taken[round - 2] ?? [])];
    });
  });
  return { ...schedule, ranks: rewritten };
}

const even = (ranks: number, each: number): number[] => new Array<number>(ranks).fill(each);

/** Equal blocks, as many KV heads as query heads. */
const extentsOf = (ranks: number, rows: number, keys: number, head_dim: number): Extents => ({
  ...{ batch: 1, heads: 2, kv_heads: 2, head_dim, head_dim_v: head_dim, media: null },
  partition: { ranks, q: even(ranks, rows), kv: even(ranks, keys) },
});

/** A link for every rank. Powers of two, so that all times are exact. */
const machineOf = (ranks: number, bytes_per_s: number): Machine => ({
  ...{ ranks, ranks_per_node: 1, hides_gradients: true, kernel_overhead_s: 0 },
  ...{ attention_flops_per_s: 1, projection_flops_per_s: 1, dense_flops_per_s: 1 },
  ...{ within_node_bytes_per_s: bytes_per_s, between_nodes_bytes_per_s: bytes_per_s },
  ...{ within_node_latency_s: 0, between_nodes_latency_s: 0 },
});

describe('partial results that go home beside the next round', () => {
  it('expose exactly as much less as fits beside computing, whatever the rates', () => {
    const regimes = new Set<string>();
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: -6, max: 2 }),
        fc.constantFrom(...DIRECTIONS),
        (n, rows, keys, head_dim, rate, direction) => {
          const e = extentsOf(n, rows, keys, head_dim);
          const machine = machineOf(n, 2 ** rate);
          const schedule = tokenRingSchedule(e.partition, direction);
          const [ours, waits] = [schedule, waiting(schedule)].map((one) =>
            simulate(stepsOf(e, one, machine, SIZES), machine),
          );
          expect(ours!.bytes_by_lane).toEqual(waits!.bytes_by_lane);
          const seconds = (lane: string) =>
            ours!.bytes_by_lane[lane]![0]! / (n - 1) / machine.between_nodes_bytes_per_s;
          const [c, query, part] = [ours!.compute_s[0]! / n, seconds('query'), seconds('result')];
          // n − 1 results were waited for. Now the last one is; the others of n − 3 rounds go out
          // behind queries, and that of the last round alone beside computing.
          const beside = Math.max(c, query + part) - Math.max(c, query);
          const falls = n === 2 ? 0 : (n - 2) * part - (n - 3) * beside - (Math.max(c, part) - c);
          for (const [rank, waited] of waits!.waiting_s.entries()) {
            expect(waited - ours!.waiting_s[rank]!).toBe(falls);
          }
          if (n > 2) expect(falls).toBeGreaterThan(0);
          if (c < query + part) regimes.add('partly');
          else {
            // Nothing but the last one's way home is left, on however many ranks.
            for (const waited of ours!.waiting_s) expect(waited).toBe(part);
            regimes.add('wholly');
          }
        },
      ),
      { seed: 5, numRuns: 150 },
    );
    expect([...regimes].sort()).toEqual(['partly', 'wholly']);
  });
});

describe('buffers of token-ring', () => {
  it('are on the clock what the formula says, beside K and V themselves', () => {
    for (const ranks of [4, 5, 8, 11]) {
      const [rows, keys, head_dim] = [6, 10, 4];
      const e = extentsOf(ranks, rows, keys, head_dim);
      const w: Workload = {
        ...{ ranks, ranks_per_node: 1, seq_q: ranks * rows, seq_kv: ranks * keys },
        ...{ heads: 2, kv_heads: 2, head_dim, hidden: 8, visual_dim: 8, ...SIZES },
      };
      const machine = machineOf(ranks, 1);
      // O travels, as the formula counts.
      const peaks = DIRECTIONS.map((direction) => {
        const schedule = tokenRingSchedule(e.partition, direction, { sends: 'O' });
        return new Set(simulate(stepsOf(e, schedule, machine, SIZES), machine).peak_bytes);
      });
      const held = 2 * 4 * 2 * keys * head_dim;
      const { working_bytes } = memoryOf('token-ring', w, 1, false);
      expect(Math.max(...peaks.flatMap((peak) => [...peak])) - held).toBe(working_bytes);
      const [q, lse] = [4 * 2 * rows * head_dim, 4 * 2 * rows];
      expect([...peaks[0]!]).toEqual([held + 2 * q + 5 * (q + lse)]);
    }
  });
});
