/**
 * One cross-attention layer of a model on a cluster, forward and backward, on the clock: the schedule
 * that runs, on blocks as even as whole rows can be, at nominal rates.
 *
 * It is what the formulas price with `AS_RUN`: D travels in place of O, the LSE with the model's
 * element size, keys of grouped heads as they are. Bytes are the same for any blocks; seconds, where
 * blocks are equal and every rank has a link of its own.
 * @module
 */
import { layoutBytes } from '../costs/layout-bytes.ts';
import { nominalMachine, passSeconds } from '../costs/machine.ts';
import type { Setting } from '../costs/prediction.ts';
import { layerCost, refusal } from '../costs/schedules.ts';
import { AS_RUN, type Workload, workloadOf } from '../costs/workload.ts';
import type { Direction } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import { IN_PIECES, type ScheduleName } from '../schedules/index.ts';
import type { MakeInPieces } from '../schedules/parts.ts';
import { usp } from '../schedules/ulysses.ts';
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

/** The layer as even as whole rows can be. Throws a RangeError where the schedule cannot be used. */
function evenLayer(name: ScheduleName, setting: Setting) {
  const { model, cluster, seq_q, seq_kv } = setting;
  const workload = workloadOf(model, cluster, setting);
  const unusable = refusal(name, workload);
  if (unusable !== null) throw new RangeError(unusable);
  const { heads, kv_heads, head_dim, ranks } = { ...model, ranks: cluster.ranks };
  const partition = { ranks, q: even(seq_q, ranks), kv: even(seq_kv, ranks) };
  const sizes = { batch: 1, heads, kv_heads, head_dim, head_dim_v: head_dim, media: null };
  const layer: SimulatedCase = { ...sizes, partition };
  return { layer, workload };
}

/** What the closed formulas say of the same: seconds of equal blocks, bytes of each rank. */
export interface FormulaPass {
  readonly seconds: number;
  readonly bytes_sent: readonly number[];
}

/** Throws a RangeError where the schedule cannot be used. */
export function layerByFormula(
  name: ScheduleName,
  setting: Setting,
): Readonly<Record<Direction, FormulaPass>> {
  const { layer, workload } = evenLayer(name, setting);
  const cost = layerCost(name, workload, { ...AS_RUN, recomputes: false });
  const options = { ...AS_RUN, group: uspGroup(workload) };
  const of = (direction: Direction): FormulaPass => ({
    seconds: passSeconds(nominalMachine(setting.cluster), cost[direction]),
    bytes_sent: layoutBytes(name, direction, layer, workload, options),
  });
  return { forward: of('forward'), backward: of('backward') };
}

const maker = (name: ScheduleName, workload: Workload): MakeInPieces =>
  name === 'usp'
    ? (layout, direction, options) =>
        usp(layout, direction, { ...options, group: uspGroup(workload) })
    : IN_PIECES[name];

/** Throws a RangeError where the schedule cannot be used. */
export function simulateLayer(
  name: ScheduleName,
  setting: Setting,
  { recompute, watch = WATCH_NOTHING }: { readonly recompute: boolean; readonly watch?: Watch },
): LayerSimulation {
  const { layer: even, workload } = evenLayer(name, setting);
  const { model, cluster } = setting;
  const layer: SimulatedCase = { ...even, ...(recompute ? { dim_y: model.visual_dim } : {}) };
  const [machine, make] = [nominalMachine(cluster), maker(name, workload)];
  const pass = (direction: Direction, offset_s: number): Simulation => {
    const schedule = make(layer.partition, direction, { heads: model.heads, recompute });
    const programs = stepsOf(layer, schedule, machine, workload);
    return simulate(programs, machine, watch(programs, direction, offset_s));
  };
  const forward = pass('forward', 0);
  return { forward, backward: pass('backward', forward.seconds) };
}
