/**
 * The suites: which cases there are to ask a candidate, in the order in which they are reported.
 *
 * `smoke` has one case for every feature and the strongest probes, `core` every feature, pair,
 * partition and probe, `full` all of core from several seeds and larger sizes; `merge` is the merge of given
 * partial results, of which `core` and `full` have some. The first cases are
 * controls: when they fail, nothing later needs a subtle explanation. Same seed, same bits.
 * @module
 */
import { type AttentionCase, DTYPES, type Dtype } from '../reference/case/case.ts';
import {
  BASIC,
  BIASES,
  grids,
  MASKING_BIASES,
  MASKS,
  MODELS,
  pairs,
  partitions,
  SHAPES,
  SIZES,
  singles,
} from './suite/features.ts';
import { buildMergeSpec, MERGES, type MergeSpec, PLAIN_MERGE } from './suite/merges.ts';
import { PROBES } from './suite/probes.ts';
import { type Building, buildCase } from './suite/spec.ts';
import type { SuiteSpec } from './suite/suite-spec.ts';
import { EVERYTHING } from './suite/vary.ts';

export const SUITES = ['smoke', 'core', 'full', 'merge'] as const;
export type SuiteName = (typeof SUITES)[number];

export interface SuiteCase {
  /** Stable and unique: suite, group, name. */
  readonly id: string;
  /** The fault this case shows; null for a control. */
  readonly shows: string | null;
  /** Cases of one sequence are asked one right after another, in their order. */
  readonly sequence?: string;
  readonly build: () => AttentionCase;
}

function suiteCase(spec: SuiteSpec, suite: SuiteName, dtype: Dtype, building: Building): SuiteCase {
  return {
    id: `${suite}/${spec.name}`,
    shows: spec.shows ?? null,
    ...(spec.sequence === undefined ? {} : { sequence: spec.sequence }),
    build: () => buildCase(spec, suite, dtype, building),
  };
}

function coreSpecs(): SuiteSpec[] {
  return [
    ...BASIC,
    ...singles(),
    ...PROBES,
    ...SHAPES,
    ...BIASES,
    ...MASKING_BIASES,
    ...MASKS,
    ...partitions(),
    ...grids(),
    ...MODELS,
    ...pairs(),
    ...SIZES,
  ];
}

/** The probes that between them show every fault class in few keys. */
const SMOKE_PROBES: readonly string[] = [
  'probe/phantom-key-few-keys',
  'probe/phantom-key-gradients',
  'probe/shift-minus-300',
  'probe/shift-plus-300-gradients',
  'probe/shard-1-dominates',
  'probe/shard-2-masked-for-some-rows',
  'probe/some-rows-empty',
  'probe/rank-tags-3',
  'probe/rank-tags-5-gradients',
  'probe/head-constants-groups-of-three',
  'probe/causal-bottom-right-ranks-gradients',
  'probe/recompute-gradients',
  'probe/sink-several-ranks',
  'exact/one-hot-ranks',
  'poison/mask-gradients',
  'shape/no-keys',
  'bias/lowest-padding-gradients',
  'bias/minus-1e9-causal-gradients',
  'ranks/7-empty-keys-gradients',
  // One after another, of one size: what a candidate keeps of the one before.
  ...['01', '02', '05', '06', '07', '08', '28', '29'].map((n) => `state/${n}`),
];

function smokeSpecs(): SuiteSpec[] {
  const names = new Set(SMOKE_PROBES);
  const features = singles().filter(({ name }) => name.endsWith('-gradients'));
  const chosen = coreSpecs().filter(({ name }) => names.has(name));
  return [...BASIC.slice(0, 4), ...BASIC.slice(7), ...features, ...chosen];
}

/** A plain and a busy case in each dtype, so that a candidate of several is asked in all. */
function dtypeCases(suite: SuiteName, main: Dtype, building: Building): SuiteCase[] {
  return DTYPES.filter((dtype) => dtype !== main).flatMap((dtype) =>
    [
      { name: `dtype/${dtype}`, gradients: false },
      { name: `dtype/${dtype}-gradients`, heads: 4, kv_heads: 2, ranks: 3 },
      {
        name: `dtype/${dtype}-shifted`,
        bias: [1, 1, 1, 1],
        shift: -100,
        ranks: 2,
        gradients: false,
      },
    ].map((spec) => suiteCase(spec, suite, dtype, building)),
  );
}

function mergeCase(spec: MergeSpec, suite: SuiteName, dtype: Dtype, seed: number): SuiteCase {
  const id = suite === 'merge' ? `merge/${spec.name}` : `${suite}/merge/${spec.name}`;
  return {
    ...{ id, shows: spec.shows ?? null },
    build: () => buildMergeSpec(spec, id, dtype, seed),
  };
}

/** Merges of given parts: of `core` those that show the most, put to who says `merge`. */
function mergeCases(suite: SuiteName, main: Dtype, seed: number): SuiteCase[] {
  if (suite === 'smoke') return [];
  const specs = MERGES.filter(forDtype(main)).filter(
    ({ inCore }) => suite !== 'core' || inCore === true,
  );
  return specs.map((spec) => mergeCase(spec, suite, main, seed));
}

const forDtype =
  (dtype: Dtype) =>
  (spec: { readonly dtypes?: readonly Dtype[] }): boolean =>
    spec.dtypes === undefined || spec.dtypes.includes(dtype);

/** Seeds of the suite `full`; `core` is its first. */
const FULL_SEEDS = 3;

const FULL_SIZES: readonly SuiteSpec[] = [
  {
    name: 'size/8192-keys',
    heads: 1,
    kv_heads: 1,
    seq_q: 4,
    seq_kv: 8192,
    ranks: 7,
    gradients: false,
  },
  {
    name: 'size/2048-keys-gradients',
    heads: 2,
    kv_heads: 1,
    seq_q: 8,
    seq_kv: 2048,
    head_dim: 16,
    head_dim_v: 16,
    scale: 0.25,
    ranks: 5,
  },
  {
    name: 'size/512-queries',
    heads: 4,
    kv_heads: 2,
    seq_q: 512,
    seq_kv: 64,
    head_dim: 16,
    head_dim_v: 16,
    scale: 0.25,
    ranks: 4,
  },
];

/** The cases of a suite for candidates whose inputs are `dtype`. */
export function suite(name: SuiteName, dtype: Dtype, options: Partial<Building> = {}): SuiteCase[] {
  const building: Building = { ...options, seed: options.seed ?? 0 };
  const allowed = forDtype(dtype);
  const merges = mergeCases(name, dtype, building.seed);
  if (name === 'merge') {
    const others = DTYPES.filter((other) => other !== dtype);
    const plain = others.map((other) =>
      mergeCase({ ...PLAIN_MERGE, name: `dtype/${other}` }, name, other, building.seed),
    );
    return [...merges, ...plain];
  }
  const specs = (name === 'smoke' ? smokeSpecs() : coreSpecs()).filter(allowed);
  const cases = specs.map((spec) => suiteCase(spec, name, dtype, building));
  const once = [...cases, ...dtypeCases(name, dtype, building), ...merges];
  if (name !== 'full') return once;
  const repeats = Array.from({ length: FULL_SEEDS - 1 }, (_, n) =>
    specs.map((spec) => {
      const sequence = spec.sequence && `${spec.sequence}-${n + 2}`;
      const again = { ...spec, name: `${spec.name}-${n + 2}`, ...(sequence ? { sequence } : {}) };
      return suiteCase(again, name, dtype, building);
    }),
  );
  const large = FULL_SIZES.map((spec) =>
    suiteCase({ ...spec, keeps: EVERYTHING }, name, dtype, building),
  );
  return [...once, ...repeats.flat(), ...large];
}
