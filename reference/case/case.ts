/**
 * AttentionCase: one question about attention, and everything needed to ask it.
 *
 * The parameters are `case.json`, the inputs are `inputs.safetensors`, under the same names.
 * `validateCase` is the one definition of a well-formed case; whatever reads or builds a case
 * passes through it.
 * @module
 */
import type { Tensor } from '../numbers/tensor.ts';

export const DTYPES = ['f64', 'f32', 'f16', 'bf16'] as const;
/** The format in which the inputs are stored. */
export type Dtype = (typeof DTYPES)[number];

export const CAUSAL_ALIGNMENTS = ['none', 'top-left', 'bottom-right'] as const;
export type Causal = (typeof CAUSAL_ALIGNMENTS)[number];

export const MEDIA_RULES = ['immediate', 'previous'] as const;
export type MediaRule = (typeof MEDIA_RULES)[number];

export const OUTPUT_NAMES = [
  'out',
  'lse',
  'd_q',
  'd_k',
  'd_v',
  'd_bias',
  'd_sink',
  'd_y',
  'd_w_k',
  'd_w_v',
] as const;
export type OutputName = (typeof OUTPUT_NAMES)[number];

export const isGradient = (name: OutputName): boolean => name.startsWith('d_');

/** The gradients of what K and V are recomputed from, which dK and dV go on to. spec (25), (26) */
export const FEATURE_GRADIENTS = ['d_y', 'd_w_k', 'd_w_v'] as const;

/** Steps of the algorithm that are asked by themselves; a case without `op` asks for attention. */
export const OPS = ['merge'] as const;
export type Op = (typeof OPS)[number];

export const INPUT_NAMES = [
  'q',
  'k',
  'v',
  'd_out',
  'd_lse',
  'bias',
  'mask',
  'kv_lengths',
  'sink',
  'dropout_keep',
  'media_text',
  'media_key',
  'y',
  'w_k',
  'w_v',
  'outs',
  'lses',
] as const;
export type InputName = (typeof INPUT_NAMES)[number];

/** Sizes of each rank's query and key blocks; entries may be zero. */
export interface Partition {
  ranks: number;
  q: number[];
  kv: number[];
}

/** `case.json`, field for field. */
export interface CaseParameters {
  schema: 1;
  id: string;
  /** Absent = attention. */
  op?: Op;
  dtype: Dtype;
  batch: number;
  heads: number;
  kv_heads: number;
  seq_q: number;
  seq_kv: number;
  head_dim: number;
  head_dim_v: number;
  /** Width of the visual features; present exactly when K and V are recomputed from `y`. */
  dim_y?: number;
  scale: number;
  /** c of c·tanh(s/c); 0 = none. */
  softcap: number;
  causal: Causal;
  /** [left, right], −1 = unbounded on that side; null = none. */
  window: [number, number] | null;
  media: MediaRule | null;
  dropout_rate: number;
  wants: OutputName[];
  partition: Partition;
}

export const wantsGradients = ({ wants }: Pick<CaseParameters, 'wants'>): boolean =>
  wants.some(isGradient);

/**
 * How the judge may read a case. `random`: values drawn independently, so the probabilistic bound
 * applies. `structured`: worst-case bound only. `exact`: every answer is representable in every
 * format and every rounding on the way is exact; any deviation is impossible.
 * Kept as `judging` in the safetensors `__metadata__` of the inputs; absent = structured.
 */
export const JUDGINGS = ['random', 'structured', 'exact'] as const;
export type Judging = (typeof JUDGINGS)[number];

/** Each input under its contract name, as exact float64; integers and masks (0/1) likewise. */
export type CaseInputs = Partial<Record<InputName, Tensor>>;

export interface AttentionCase {
  parameters: CaseParameters;
  inputs: CaseInputs;
  judging: Judging;
}

/** Outputs under their contract names. */
export type Outputs<T = number> = Partial<Record<OutputName, Tensor<T>>>;
