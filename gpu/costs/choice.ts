/**
 * Which schedule is best, where another one becomes so, and how much visual input fits.
 * @module
 */
import type { Cluster } from './clusters.ts';
import { passSeconds } from './machine.ts';
import { memoryOf, stateBytes } from './memory.ts';
import type { Model } from './models.ts';
import { type Basis, machineOf, type Setting } from './prediction.ts';
import { layerCost, refusal, SCHEDULE_NAMES, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, type Options, workloadOf } from './workload.ts';

/** From `at` on, up to the next change, `best` takes least time in cross-attention. */
export interface Change {
  readonly at: number;
  readonly best: ScheduleName;
}

/** Lengths that are looked at. */
const LENGTH_MIN = 2 ** 8;
const LENGTH_MAX = 2 ** 28;

/** Times that differ by less are the same: LV-XAttn first, then in the order of the names. */
const TIE = 1e-9;

export const usable = (model: Model, cluster: Cluster): ScheduleName[] =>
  SCHEDULE_NAMES.filter(
    (name) => refusal(name, workloadOf(model, cluster, { seq_q: 1, seq_kv: 1 })) === null,
  );

/** Seconds of cross-attention of every schedule, in the order of their names. */
function timesAlong(
  axis: 'seq_q' | 'seq_kv',
  basis: Basis,
  setting: Setting,
  options: Options,
): (length: number) => number[] {
  const { model, cluster } = setting;
  const machine = machineOf(cluster, basis);
  const names = usable(model, cluster);
  const known = new Map<number, number[]>();
  return (length) => {
    const found = known.get(length);
    if (found !== undefined) return found;
    const workload = workloadOf(model, cluster, { ...setting, [axis]: length });
    const times = names.map((name) => {
      const { forward, backward } = layerCost(name, workload, options);
      return passSeconds(machine, forward) + passSeconds(machine, backward);
    });
    known.set(length, times);
    return times;
  };
}

/** Which of some times is the shortest: the first of those that are the same. */
const shortest = (times: readonly number[]): number =>
  times.reduce((best, time, n) => (time < (times[best] ?? Infinity) * (1 - TIE) ? n : best), 0);

/**
 * Can none be faster than `best` between two lengths where it is best? Along one length times are
 * sums of maxima of affine functions, so convex: `best` is at most its chord, and another at least
 * the line through its middle and the far end, drawn on to the near one.
 */
function staysBest(
  best: number,
  from: readonly number[],
  middle: readonly number[],
  to: readonly number[],
  share: number,
): boolean {
  const at = (times: readonly number[]): number => (times[best] ?? 0) * (1 - TIE);
  const chord = (1 - share) * at(from) + share * at(to);
  return middle.every((time, n) => {
    if (n === best) return true;
    const [first = 0, last = 0] = [from[n], to[n]];
    const backwards = time - ((last - time) * share) / (1 - share);
    const onwards = time + ((time - first) * (1 - share)) / share;
    return backwards >= at(from) && time >= chord && onwards >= at(to);
  });
}

/**
 * Where the best choice changes as one length grows and the other stays: every change, to the token,
 * for an interval is halved until nothing can change in it.
 */
export function changesAlong(
  axis: 'seq_q' | 'seq_kv',
  basis: Basis,
  setting: Setting,
  options: Options = AS_PUBLISHED,
): Change[] {
  const times = timesAlong(axis, basis, setting, options);
  const names = usable(setting.model, setting.cluster);
  const nameAt = (length: number): ScheduleName => names[shortest(times(length))] ?? 'lv-xattn';
  const changes: Change[] = [{ at: LENGTH_MIN, best: nameAt(LENGTH_MIN) }];
  const look = (from: number, to: number): void => {
    const [best, after] = [shortest(times(from)), shortest(times(to))];
    if (to - from === 1) {
      if (best !== after) changes.push({ at: to, best: nameAt(to) });
      return;
    }
    const middle = Math.floor((from + to) / 2);
    const share = (middle - from) / (to - from);
    if (best === after && staysBest(best, times(from), times(middle), times(to), share)) return;
    look(from, middle);
    look(middle, to);
  };
  for (let low = LENGTH_MIN; low < LENGTH_MAX; low *= 2) look(low, 2 * low);
  return changes;
}

/** Bytes of a rank at its fullest: states of the model, activations saved, buffers. */
export function rankBytes(
  name: ScheduleName,
  { model, cluster, ...sizes }: Setting,
  recompute: boolean,
  counted: typeof memoryOf = memoryOf,
): number {
  const workload = workloadOf(model, cluster, sizes);
  const { peak_bytes } = counted(name, workload, model.cross_attention_layers, recompute);
  return stateBytes(model, cluster.ranks) + peak_bytes;
}

/**
 * The most frames that fit into a rank's memory beside the text, activations of cross-attention and
 * the model's states counted, those of other layers not. 0 where not one does. `counted`: as
 * published, or as run.
 */
export function longestInput(
  name: ScheduleName,
  setting: Setting,
  recompute: boolean,
  counted: typeof memoryOf = memoryOf,
): { readonly frames: number; readonly seq_kv: number } {
  const { model, cluster } = setting;
  const fits = (frames: number): boolean =>
    rankBytes(name, { ...setting, seq_kv: frames * model.tokens_per_frame }, recompute, counted) <=
    cluster.memory_bytes;
  let [low, high] = [0, 1];
  while (fits(high) && high < Number.MAX_SAFE_INTEGER / 4) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return { frames: low, seq_kv: low * model.tokens_per_frame };
}
