/**
 * A plan: every schedule's volume, time, memory and regime for one model, cluster and input, and
 * where the choice between them changes. A value; printing it is the command line's.
 * @module
 */
import { uspGroup } from '../schedules/groups.ts';
import { CALIBRATION, LIKE, linkShare } from './calibration.ts';
import { type Change, changesAlong, longestInput } from './choice.ts';
import type { Regime } from './machine.ts';
import { memoryAsRun, memoryOf, stateBytes } from './memory.ts';
import { bytesSent } from './phases.ts';
import { BASES, type Basis, machineOf, predictOn, type Setting } from './prediction.ts';
import { layerCost, refusal, SCHEDULE_NAMES, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, AS_RUN, type Options, type Workload, workloadOf } from './workload.ts';

export type PerBasis<T> = Readonly<Record<Basis, T>>;

/** Bytes of one layer and rank; seconds of a layer, of all cross-attention, of an iteration. */
export interface PassCosts {
  readonly forward_bytes_per_rank: number;
  readonly backward_bytes_per_rank: number;
  readonly forward_s: PerBasis<number>;
  readonly backward_s: PerBasis<number>;
  readonly cross_attention_s: PerBasis<number>;
  readonly iteration_s: PerBasis<number>;
  readonly forward_regime: PerBasis<Regime | null>;
  readonly backward_regime: PerBasis<Regime | null>;
}

export interface SchedulePlan extends PassCosts {
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

/** As `xattn run` does it, with what it holds: see memory.ts. */
export interface RunCosts extends PassCosts {
  readonly saved_bytes_per_rank: number;
  /** The most that its buffers hold in a pass of equal blocks, as the clock has it. */
  readonly forward_buffers_bytes_per_rank: number;
  readonly backward_buffers_bytes_per_rank: number;
  readonly peak_bytes_per_rank: number;
  readonly recomputes: boolean;
  readonly longest_frames: number;
}

/** A schedule that cannot be used here has no numbers. */
export type Refused = { readonly [K in keyof SchedulePlan]: null } & { readonly unusable: string };

export interface Variant {
  readonly name: string;
  readonly schedule: ScheduleName;
  readonly options: Options;
}

/** The same schedules done otherwise than published, and than run. */
export const VARIANTS: readonly Variant[] = [
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
    name: 'ring-attention, no overlap',
    schedule: 'ring-attention',
    options: { ...AS_PUBLISHED, overlap: false },
  },
];

/** What `xattn run` does, where it is not what is published. */
const RUN_NAMES: Readonly<Partial<Record<ScheduleName, string>>> = {
  'lv-xattn': 'lv-xattn, D in place of O',
  'ring-attention': 'ring-attention, grouped heads',
  ulysses: 'ulysses, as run',
  'head-parallel': 'head-parallel, as run',
  'pass-q': 'pass-q, D in place of O',
  'token-ring': 'token-ring, D in place of O',
};

/** How a schedule stands among those that are published, and what `xattn run` does instead. */
export const PUBLISHED_NAMES: Readonly<Record<ScheduleName, string>> = {
  'lv-xattn': 'lv-xattn, O travels',
  'ring-attention': 'ring-attention, expanded',
  ulysses: 'ulysses, as the paper counts',
  'head-parallel': 'head-parallel, as it counts',
  'all-gather-kv': 'all-gather-kv',
  'pass-q': 'pass-q, O travels',
  usp: 'usp, lv-xattn between groups',
  'token-ring': 'token-ring, O travels',
};

export interface Plan {
  readonly model: string;
  readonly cluster: string;
  readonly ranks: number;
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly frames: number;
  readonly memory_bytes_per_rank: number;
  readonly state_bytes_per_rank: number;
  /** Ranks of a group under USP: they deal heads out, and LV-XAttn's ring is between groups. */
  readonly usp_group: number;
  /**
   * As they are published, LV-XAttn, Ring Attention, Ulysses and head-parallel as the LV-XAttn paper
   * counts them: O travels, heads are expanded.
   */
  readonly schedules: Readonly<Record<ScheduleName, SchedulePlan | Refused>>;
  /** As `xattn run` does them, and the clock: D in place of O, KV heads as they are; null: cannot. */
  readonly as_run: Readonly<Record<ScheduleName, RunCosts | null>>;
  /** Further ways, and those of `as_run` that differ, by names for people. */
  readonly variants: Readonly<Record<string, PassCosts>>;
  /** LV-XAttn over each other schedule: in cross-attention, and in the whole iteration. */
  readonly speedup: PerBasis<Readonly<Partial<Record<ScheduleName, number | null>>>>;
  readonly iteration_speedup: PerBasis<Readonly<Partial<Record<ScheduleName, number | null>>>>;
  /** Fastest in cross-attention from such a length on, the other length as given. */
  readonly best_along: Readonly<Record<'seq_q' | 'seq_kv', PerBasis<readonly Change[]>>>;
  /** The same of schedules as `xattn run` does them. */
  readonly best_along_as_run: Readonly<Record<'seq_q' | 'seq_kv', PerBasis<readonly Change[]>>>;
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

function passCosts(name: ScheduleName, setting: Setting, options: Options): PassCosts {
  const { model, cluster } = setting;
  const { forward, backward } = layerCost(name, workloadOf(model, cluster, setting), options);
  const predicted = perBasis((basis) =>
    predictOn(machineOf(cluster, basis), setting, name, options),
  );
  return {
    forward_bytes_per_rank: bytesSent(forward),
    backward_bytes_per_rank: bytesSent(backward),
    forward_s: perBasis((basis) => predicted[basis].forward_s),
    backward_s: perBasis((basis) => predicted[basis].backward_s),
    cross_attention_s: perBasis((basis) => predicted[basis].cross_attention_s),
    iteration_s: perBasis((basis) => predicted[basis].iteration_s),
    forward_regime: perBasis((basis) => predicted[basis].forward_regime),
    backward_regime: perBasis((basis) => predicted[basis].backward_regime),
  };
}

function schedulePlan(name: ScheduleName, setting: Setting, options: Options): SchedulePlan {
  const { model, cluster } = setting;
  const workload = workloadOf(model, cluster, setting);
  const recomputes = name === 'lv-xattn' && options.recomputes;
  const memory = (recompute: boolean) =>
    memoryOf(name, workload, model.cross_attention_layers, recompute);
  return {
    ...passCosts(name, setting, options),
    saved_bytes_per_rank: memory(recomputes).saved_bytes,
    peak_bytes_per_rank: memory(recomputes).peak_bytes,
    recomputes,
    peak_bytes_per_rank_otherwise: memory(!recomputes).peak_bytes,
    longest_frames: longestInput(name, setting, recomputes).frames,
    longest_frames_otherwise: longestInput(name, setting, !recomputes).frames,
  };
}

function runCosts(name: ScheduleName, setting: Setting): RunCosts {
  const { model, cluster } = setting;
  const workload = workloadOf(model, cluster, setting);
  const recomputes = name === 'lv-xattn' && AS_RUN.recomputes;
  const memory = memoryAsRun(name, workload, model.cross_attention_layers, recomputes);
  return {
    ...passCosts(name, setting, AS_RUN),
    saved_bytes_per_rank: memory.saved_bytes,
    forward_buffers_bytes_per_rank: memory.forward_buffers_bytes,
    backward_buffers_bytes_per_rank: memory.backward_buffers_bytes,
    ...{ peak_bytes_per_rank: memory.peak_bytes, recomputes },
    longest_frames: longestInput(name, setting, recomputes, memoryAsRun).frames,
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

/** By names for people: as run, where that is not as published, and the further ways. */
function variantsOf(setting: Setting, as_run: Plan['as_run']): Plan['variants'] {
  const run = SCHEDULE_NAMES.flatMap((name): [string, PassCosts][] => {
    const [title, costs] = [RUN_NAMES[name], as_run[name]];
    return title === undefined || costs === null ? [] : [[title, costs]];
  });
  const further = VARIANTS.map(({ name, schedule, options }): [string, PassCosts] => [
    name,
    passCosts(schedule, setting, options),
  ]);
  return Object.fromEntries([...run, ...further]);
}

function alongBoth(setting: Setting, options: Options): Plan['best_along'] {
  const along = (axis: 'seq_q' | 'seq_kv') =>
    perBasis((basis) => changesAlong(axis, basis, setting, options));
  return { seq_q: along('seq_q'), seq_kv: along('seq_kv') };
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
  const as_run = Object.fromEntries(
    SCHEDULE_NAMES.map((name) => [
      name,
      refusal(name, workload) === null ? runCosts(name, setting) : null,
    ]),
  ) as Plan['as_run'];
  const { share, from } = linkShare(cluster.name);
  const { attention, projections, dense } = CALIBRATION;
  return {
    ...{ model: model.name, cluster: cluster.name, ranks: cluster.ranks, seq_q, seq_kv },
    frames: seq_kv / model.tokens_per_frame,
    memory_bytes_per_rank: cluster.memory_bytes,
    state_bytes_per_rank: stateBytes(model, cluster.ranks),
    usp_group: uspGroup(workload),
    ...{ schedules, as_run, variants: variantsOf(setting, as_run) },
    speedup: perBasis((basis) => speedups(schedules, 'cross_attention_s', basis)),
    iteration_speedup: perBasis((basis) => speedups(schedules, 'iteration_s', basis)),
    best_along: alongBoth(setting, AS_PUBLISHED),
    best_along_as_run: alongBoth(setting, AS_RUN),
    calibration: {
      shares_of_nominal: { attention, projections, dense, between_nodes: share },
      link_of: from,
      link_is_assumed_alike: cluster.name in LIKE,
    },
  };
}
