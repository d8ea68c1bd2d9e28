/**
 * One cross-attention layer of a model on a cluster, forward and backward, on the clock: the schedule
 * that runs, on blocks as even as whole rows can be, at nominal rates.
 *
 * It differs from the formulas as the program does from the paper: D travels in place of O, the LSE
 * with the model's element size, keys of grouped heads as they are under Ring Attention, and a rank
 * whose neighbours share its node has faster links.
 * @module
 */
import { nominalMachine } from '../costs/machine.ts';
import type { Setting } from '../costs/prediction.ts';
import { refusal, ulyssesDegree } from '../costs/schedules.ts';
import { workloadOf } from '../costs/workload.ts';
import type { Direction } from '../schedule.ts';
import { SCHEDULES, type ScheduleName } from '../schedules/index.ts';
import type { MakeSchedule } from '../schedules/parts.ts';
import { uspSchedule } from '../schedules/ulysses.ts';
import { type Note, type Simulation, simulate } from './clock.ts';
import type { Programs } from './program.ts';
import { type SimulatedCase, stepsOf } from './steps.ts';

/** As even as whole numbers can be. */
function even(total: number, ranks: number): number[] {
  const [least, more] = [Math.floor(total / ranks), total % ranks];
  return Array.from({ length: ranks }, (_, n) => least + (n < more ? 1 : 0));
}

/** Told of each pass before it begins; what it answers is told what happens in it. */
export type Watch = (programs: Programs, direction: Direction, offset_s: number) => Note | null;

export interface LayerSimulation {
  readonly forward: Simulation;
  readonly backward: Simulation;
}

const WATCH_NOTHING: Watch = () => null;

/** Throws a RangeError where the schedule cannot be used. */
export function simulateLayer(
  name: ScheduleName,
  { model, cluster, seq_q, seq_kv }: Setting,
  { recompute, watch = WATCH_NOTHING }: { readonly recompute: boolean; readonly watch?: Watch },
): LayerSimulation {
  const workload = workloadOf(model, cluster, { seq_q, seq_kv });
  const unusable = refusal(name, workload);
  if (unusable !== null) throw new RangeError(unusable);
  const { heads, kv_heads, head_dim, ranks } = { ...model, ranks: cluster.ranks };
  const partition = { ranks, q: even(seq_q, ranks), kv: even(seq_kv, ranks) };
  const sizes = { batch: 1, heads, kv_heads, head_dim, head_dim_v: head_dim, media: null };
  const layer: SimulatedCase = {
    ...{ ...sizes, partition },
    ...(recompute ? { dim_y: model.visual_dim } : {}),
  };
  const machine = nominalMachine(cluster);
  const make: MakeSchedule =
    name === 'usp'
      ? (layout, direction, options) =>
          uspSchedule(layout, direction, { ...options, group: ulyssesDegree(workload) })
      : SCHEDULES[name];
  const pass = (direction: Direction, offset_s: number): Simulation => {
    const schedule = make(partition, direction, { heads, recompute });
    const programs = stepsOf(layer, schedule, machine, workload);
    return simulate(programs, machine, watch(programs, direction, offset_s));
  };
  const forward = pass('forward', 0);
  return { forward, backward: pass('backward', forward.seconds) };
}
