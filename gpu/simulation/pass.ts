/**
 * One pass of a model's layer on a cluster, on the clock: on blocks as even as whole rows can be, at
 * nominal rates.
 * @module
 */
import { evenSizes } from '../../reference/case/partition.ts';
import { nominalMachine } from '../costs/machine.ts';
import type { Setting } from '../costs/prediction.ts';
import { refusal } from '../costs/schedules.ts';
import { type Workload, workloadOf } from '../costs/workload.ts';
import type { Direction } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import { IN_PIECES, type ScheduleName } from '../schedules/index.ts';
import type { MakeInPieces } from '../schedules/parts.ts';
import { usp } from '../schedules/ulysses.ts';
import { type Note, type Simulation, simulate } from './clock.ts';
import type { Programs } from './program.ts';
import { type SimulatedCase, stepsOf } from './steps.ts';

/** The layer as even as whole rows can be. Throws a RangeError where the schedule cannot be used. */
export function evenLayer(name: ScheduleName, setting: Setting) {
  const { model, cluster, seq_q, seq_kv } = setting;
  const workload = workloadOf(model, cluster, setting);
  const unusable = refusal(name, workload);
  if (unusable !== null) throw new RangeError(unusable);
  const { heads, kv_heads, head_dim, ranks } = { ...model, ranks: cluster.ranks };
  const partition = { ranks, q: evenSizes(seq_q, ranks), kv: evenSizes(seq_kv, ranks) };
  const sizes = { batch: 1, heads, kv_heads, head_dim, head_dim_v: head_dim, media: null };
  const layer: SimulatedCase = { ...sizes, partition };
  return { layer, workload };
}

const maker = (name: ScheduleName, workload: Workload): MakeInPieces =>
  name === 'usp'
    ? (layout, direction, options) =>
        usp(layout, direction, { ...options, group: uspGroup(workload) })
    : IN_PIECES[name];

/** Which pass, as plain data. */
export interface PassTask {
  readonly name: ScheduleName;
  readonly setting: Setting;
  readonly direction: Direction;
  readonly recompute: boolean;
}

/**
 * What `watch` answers is told what happens. Throws a RangeError where the schedule cannot be used.
 */
export function simulatePass(
  { name, setting, direction, recompute }: PassTask,
  watch: (programs: Programs) => Note | null = () => null,
): Simulation {
  const { layer: even, workload } = evenLayer(name, setting);
  const { model, cluster } = setting;
  const layer: SimulatedCase = { ...even, ...(recompute ? { dim_y: model.visual_dim } : {}) };
  const [machine, make] = [nominalMachine(cluster), maker(name, workload)];
  const schedule = make(layer.partition, direction, { heads: model.heads, recompute });
  const programs = stepsOf(layer, schedule, machine, workload);
  return simulate(programs, machine, watch(programs));
}
