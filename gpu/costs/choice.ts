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

/** Lengths that are looked at: powers of two, in between to the token. */
const LENGTH_MIN = 2 ** 8;
const LENGTH_MAX = 2 ** 28;

/** Times that differ by less are the same: LV-XAttn first, then in the order of the names. */
const TIE = 1e-9;

export const usable = (model: Model, cluster: Cluster): ScheduleName[] =>
  SCHEDULE_NAMES.filter(
    (name) => refusal(name, workloadOf(model, cluster, { seq_q: 1, seq_kv: 1 })) === null,
  );

/** The fastest schedule in cross-attention, as a function of the sizes. */
function fastest(basis: Basis, { model, cluster }: Setting, options: Options) {
  const machine = machineOf(cluster, basis);
  const names = usable(model, cluster);
  return (sizes: Pick<Setting, 'seq_q' | 'seq_kv'>): ScheduleName => {
    const workload = workloadOf(model, cluster, sizes);
    let best: { name: ScheduleName; seconds: number } = { name: 'lv-xattn', seconds: Infinity };
    for (const name of names) {
      const { forward, backward } = layerCost(name, workload, options);
      const seconds = passSeconds(machine, forward) + passSeconds(machine, backward);
      if (seconds < best.seconds * (1 - TIE)) best = { name, seconds };
    }
    return best.name;
  };
}

/**
 * Where the best choice changes as one length grows and the other stays. Between neighbouring powers
 * of two one change is looked for; two that cancel out are not seen.
 */
export function changesAlong(
  axis: 'seq_q' | 'seq_kv',
  basis: Basis,
  setting: Setting,
  options: Options = AS_PUBLISHED,
): Change[] {
  const best = fastest(basis, setting, options);
  const { seq_q, seq_kv } = setting;
  const at = (length: number) => best({ ...{ seq_q, seq_kv }, [axis]: length });
  const changes: Change[] = [{ at: LENGTH_MIN, best: at(LENGTH_MIN) }];
  let low = LENGTH_MIN;
  for (let high = 2 * LENGTH_MIN; high <= LENGTH_MAX; high *= 2) {
    let [from, to] = [low, high];
    const before = changes.at(-1)?.best;
    if (at(high) !== before) {
      while (to - from > 1) {
        const middle = Math.floor((from + to) / 2);
        if (at(middle) === before) from = middle;
        else to = middle;
      }
      for (const length of to < high ? [to, high] : [high]) {
        const now = at(length);
        if (now !== changes.at(-1)?.best) changes.push({ at: length, best: now });
      }
    }
    low = high;
  }
  return changes;
}

/** Bytes of a rank at its fullest: states of the model, activations saved, buffers. */
export function rankBytes(
  name: ScheduleName,
  { model, cluster, ...sizes }: Setting,
  recompute: boolean,
): number {
  const workload = workloadOf(model, cluster, sizes);
  const { peak_bytes } = memoryOf(name, workload, model.cross_attention_layers, recompute);
  return stateBytes(model, cluster.ranks) + peak_bytes;
}

/**
 * The most frames that fit into a rank's memory beside the text, activations of cross-attention and
 * the model's states counted, those of other layers not. 0 where not one does.
 */
export function longestInput(
  name: ScheduleName,
  setting: Setting,
  recompute: boolean,
): { readonly frames: number; readonly seq_kv: number } {
  const { model, cluster } = setting;
  const fits = (frames: number): boolean =>
    rankBytes(name, { ...setting, seq_kv: frames * model.tokens_per_frame }, recompute) <=
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
