/**
 * One cross-attention layer of a model on a cluster, forward and backward, on the clock: the schedule
 * that runs, on blocks as even as whole rows can be, at nominal rates.
 *
 * It is what the formulas price with `AS_RUN`: D travels in place of O, the LSE with the model's
 * element size, keys of grouped heads as they are. Bytes are the same for any blocks; seconds, where
 * blocks are equal and every rank has a link of its own.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { built } from '../built.ts';
import { layoutBytes } from '../costs/layout-bytes.ts';
import { nominalMachine, passSeconds } from '../costs/machine.ts';
import type { Setting } from '../costs/prediction.ts';
import { layerCost } from '../costs/schedules.ts';
import { AS_RUN } from '../costs/workload.ts';
import type { Direction } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import type { ScheduleName } from '../schedules/index.ts';
import type { Note, Simulation } from './clock.ts';
import { evenLayer, type PassTask, simulatePass } from './pass.ts';
import type { Programs } from './program.ts';

/** Told of each pass before it begins; what it answers is told what happens in it. */
export type Watch = (programs: Programs, direction: Direction, offset_s: number) => Note | null;

export interface LayerSimulation {
  readonly forward: Simulation;
  readonly backward: Simulation;
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

/** From so many ranks on both passes are simulated at once: a thread takes as long to start as fewer do. */
const RANKS_AT_ONCE = 256;

/** A pass on a thread of its own. */
function simulateApart(task: PassTask): Promise<Simulation> {
  const worker = new Worker(built('simulation/pass-worker'), { workerData: task });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', () => reject(new Error('the thread of a pass left without an answer')));
  });
}

/** Throws a RangeError where the schedule cannot be used. */
export async function simulateLayer(
  name: ScheduleName,
  setting: Setting,
  { recompute, watch }: { readonly recompute: boolean; readonly watch?: Watch },
): Promise<LayerSimulation> {
  evenLayer(name, setting);
  const pass = (direction: Direction): PassTask => ({ name, setting, direction, recompute });
  if (watch === undefined && setting.cluster.ranks >= RANKS_AT_ONCE) {
    const forward = simulateApart(pass('forward'));
    const here = Promise.resolve(pass('backward')).then((task) => simulatePass(task));
    const [first, second] = await Promise.all([forward, here]);
    return { forward: first, backward: second };
  }
  const watched = (direction: Direction, offset_s: number): Simulation =>
    simulatePass(pass(direction), (programs) => watch?.(programs, direction, offset_s) ?? null);
  const forward = watched('forward', 0);
  return { forward, backward: watched('backward', forward.seconds) };
}
