/**
 * A plan: every schedule's volume, time, memory and regime for one model, cluster and input, and
 * where the choice between them changes. A value; printing it is the command line's.
 * @module
 */
import { CALIBRATION, LIKE, linkShare } from './calibration.ts';
import { type Change, changesAlong, longestInput } from './choice.ts';
import type { Regime } from './machine.ts';
import { memoryOf, stateBytes } from './memory.ts';
import { bytesSent } from './phases.ts';
import { BASES, type Basis, machineOf, predictOn, type Setting } from './prediction.ts';
import { layerCost, refusal, SCHEDULE_NAMES, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, type Options, type Workload, workloadOf } from './workload.ts';

export type PerBasis<T> = Readonly<Record<Basis, T>>;

/** Bytes of one layer and rank; seconds of a layer, of all cross-attention, of an iteration. */
export interface SchedulePlan {
  readonly forward_bytes_per_rank: number;
  readonly backward_bytes_per_rank: number;
  readonly forward_s: PerBasis<number>;
  readonly backward_s: PerBasis<number>;
  readonly cross_attention_s: PerBasis<number>;
  readonly iteration_s: PerBasis<number>;
  readonly forward_regime: PerBasis<Regime | null>;
  readonly backward_regime: PerBasis<Regime | null>;
  /** Activations of all cross-attention layers: saved, and with the buffers of the layer at work. */
  readonly saved_bytes_per_rank: number;
  readonly peak_bytes_per_rank: number;
  /** Whether both are with Q, K and V recomputed: LV-XAttn's are. */
  readonly recomputes: boolean;
  /** The peak the other way. */
  readonly peak_bytes_per_rank_otherwise: number;
  readonly longest_frames: number;
  readonly longest_frames_otherwise: number;
}

/** A schedule that cannot be used here has no numbers. */
export type Refused = { readonly [K in keyof SchedulePlan]: null } & { readonly unusable: string };

export interface Variant {
  readonly name: string;
  readonly schedule: ScheduleName;
  readonly options: Options;
}

/** The same schedules done otherwise than published. */
export const VARIANTS: readonly Variant[] = [
  {
    name: 'lv-xattn, D in place of O',
    schedule: 'lv-xattn',
    options: { ...AS_PUBLISHED, backwardSends: 'delta' },
  },
  {
    name: 'lv-xattn, K V saved',
    schedule: 'lv-xattn',
    options: { ...AS_PUBLISHED, recomputes: false },
  },
  {
    name: 'lv-xattn, no overlap',
    schedule: 'lv-xattn',
    options: { ...AS_PUBLISHED, overlap: false },
  },
  {
    name: 'ring-attention, grouped heads',
    schedule: 'ring-attention',
    options: { ...AS_PUBLISHED, expandedHeads: false },
  },
  {
    name: 'ring-attention, no overlap',
    schedule: 'ring-attention',
    options: { ...AS_PUBLISHED, overlap: false },
  },
];

export interface Plan {
  readonly model: string;
  readonly cluster: string;
  readonly ranks: number;
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly frames: number;
  readonly memory_bytes_per_rank: number;
  readonly state_bytes_per_rank: number;
  readonly schedules: Readonly<Record<ScheduleName, SchedulePlan | Refused>>;
  readonly variants: Readonly<Record<string, SchedulePlan>>;
  /** LV-XAttn over each other schedule: in cross-attention, and in the whole iteration. */
  readonly speedup: PerBasis<Readonly<Partial<Record<ScheduleName, number | null>>>>;
  readonly iteration_speedup: PerBasis<Readonly<Partial<Record<ScheduleName, number | null>>>>;
  /** Fastest in cross-attention from such a length on, the other length as given. */
  readonly best_along: Readonly<Record<'seq_q' | 'seq_kv', PerBasis<readonly Change[]>>>;
  readonly calibration: {
    readonly shares_of_nominal: {
      readonly attention: number;
      readonly projections: number;
      readonly dense: number;
      readonly between_nodes: number;
    };
    /** Whose link was measured; null where the nominal bandwidth is taken as it is. */
    readonly link_of: string | null;
    readonly link_is_assumed_alike: boolean;
  };
}

const perBasis = <T>(of: (basis: Basis) => T): PerBasis<T> =>
  Object.fromEntries(BASES.map((basis) => [basis, of(basis)])) as unknown as PerBasis<T>;

function schedulePlan(name: ScheduleName, setting: Setting, options: Options): SchedulePlan {
  const { model, cluster } = setting;
  const workload = workloadOf(model, cluster, setting);
  const { forward, backward } = layerCost(name, workload, options);
  const predicted = perBasis((basis) =>
    predictOn(machineOf(cluster, basis), setting, name, options),
  );
  const recomputes = name === 'lv-xattn' && options.recomputes;
  const memory = (recompute: boolean) =>
    memoryOf(name, workload, model.cross_attention_layers, recompute);
  return {
    forward_bytes_per_rank: bytesSent(forward),
    backward_bytes_per_rank: bytesSent(backward),
    forward_s: perBasis((basis) => predicted[basis].forward_s),
    backward_s: perBasis((basis) => predicted[basis].backward_s),
    cross_attention_s: perBasis((basis) => predicted[basis].cross_attention_s),
    iteration_s: perBasis((basis) => predicted[basis].iteration_s),
    forward_regime: perBasis((basis) => predicted[basis].forward_regime),
    backward_regime: perBasis((basis) => predicted[basis].backward_regime),
    saved_bytes_per_rank: memory(recomputes).saved_bytes,
    peak_bytes_per_rank: memory(recomputes).peak_bytes,
    recomputes,
    peak_bytes_per_rank_otherwise: memory(!recomputes).peak_bytes,
    longest_frames: longestInput(name, setting, recomputes).frames,
    longest_frames_otherwise: longestInput(name, setting, !recomputes).frames,
  };
}

function refused(setting: Setting, unusable: string): Refused {
  const fields = Object.keys(schedulePlan('lv-xattn', setting, AS_PUBLISHED));
  return { unusable, ...Object.fromEntries(fields.map((field) => [field, null])) } as Refused;
}

function speedups(
  schedules: Plan['schedules'],
  of: 'cross_attention_s' | 'iteration_s',
  basis: Basis,
): Partial<Record<ScheduleName, number | null>> {
  const ours = schedules['lv-xattn'][of]?.[basis] ?? Number.NaN;
  return Object.fromEntries(
    SCHEDULE_NAMES.filter((name) => name !== 'lv-xattn').map((name) => {
      const theirs = schedules[name][of];
      return [name, theirs === null ? null : theirs[basis] / ours];
    }),
  );
}

export function planOf(setting: Setting): Plan {
  const { model, cluster, seq_q, seq_kv } = setting;
  const workload: Workload = workloadOf(model, cluster, setting);
  const schedules = Object.fromEntries(
    SCHEDULE_NAMES.map((name) => {
      const unusable = refusal(name, workload);
      return [
        name,
        unusable === null ? schedulePlan(name, setting, AS_PUBLISHED) : refused(setting, unusable),
      ];
    }),
  ) as Plan['schedules'];
  const variants = Object.fromEntries(
    VARIANTS.map(({ name, schedule, options }) => [name, schedulePlan(schedule, setting, options)]),
  );
  const { share, from } = linkShare(cluster.name);
  const { attention, projections, dense } = CALIBRATION;
  return {
    ...{ model: model.name, cluster: cluster.name, ranks: cluster.ranks, seq_q, seq_kv },
    frames: seq_kv / model.tokens_per_frame,
    memory_bytes_per_rank: cluster.memory_bytes,
    state_bytes_per_rank: stateBytes(model, cluster.ranks),
    ...{ schedules, variants },
    speedup: perBasis((basis) => speedups(schedules, 'cross_attention_s', basis)),
    iteration_speedup: perBasis((basis) => speedups(schedules, 'iteration_s', basis)),
    best_along: {
      seq_q: perBasis((basis) => changesAlong('seq_q', basis, setting)),
      seq_kv: perBasis((basis) => changesAlong('seq_kv', basis, setting)),
    },
    calibration: {
      shares_of_nominal: { attention, projections, dense, between_nodes: share },
      link_of: from,
      link_is_assumed_alike: cluster.name in LIKE,
    },
  };
}
