/**
 * Random cases: whatever parameters and features, drawn from a seed, the same bits on every machine.
 *
 * Values are sums of twelve uniforms less six (Irwin-Hall, close to normal), rounded to the case's
 * dtype: additions only, so no machine's transcendental functions decide a bit.
 * @module
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { roundTo } from '../numbers/format.ts';
import { elementCount, mapTensor, type Tensor, tensorOf } from '../numbers/tensor.ts';
import {
  type AttentionCase,
  type CaseInputs,
  type CaseParameters,
  type Judging,
  type OutputName,
  wantsGradients,
} from './case.ts';
import { validateCase } from './validate.ts';

/** A whole number from 0 to n − 1, drawn from the case's seed. */
export type Below = (n: number) => number;

/** Parameters to change, and features to add, to a plain case. */
export interface CaseChanges extends Partial<CaseParameters> {
  judging?: Judging;
  /**
   * Replaces or edits inputs after they are drawn, before the case is validated; `below(n)` draws a
   * whole number from 0 to n − 1.
   */
  adjust?: (inputs: CaseInputs, parameters: CaseParameters, below: Below) => void;
  /** Shape of the bias, and a constant added to it. */
  bias?: number[];
  shift?: number;
  sink?: boolean;
  /** Shape of a boolean mask; about two in three pairs are kept. */
  mask?: number[];
  lengths?: number[];
  dLse?: boolean;
  /** Gradients wanted; default true. */
  gradients?: boolean;
}

const PLAIN: CaseParameters = {
  schema: 1,
  id: 'test',
  dtype: 'f32',
  batch: 1,
  heads: 2,
  kv_heads: 1,
  seq_q: 4,
  seq_kv: 9,
  head_dim: 8,
  head_dim_v: 6,
  scale: 0.35355338454246521,
  softcap: 0,
  causal: 'none',
  window: null,
  media: null,
  dropout_rate: 0,
  wants: ['out', 'lse'],
  partition: { ranks: 1, q: [4], kv: [9] },
};

function wantsOf(changes: CaseChanges, dimY: number | undefined): OutputName[] {
  if (changes.wants !== undefined) return changes.wants;
  if (changes.gradients === false) return ['out', 'lse'];
  const wants: OutputName[] = ['out', 'lse', 'd_q', 'd_k', 'd_v'];
  if (changes.bias !== undefined) wants.push('d_bias');
  if (changes.sink === true) wants.push('d_sink');
  if (dimY !== undefined) wants.push('d_y', 'd_w_k', 'd_w_v');
  return wants;
}

/** Numbers drawn one after another from a seed. */
export interface Drawing {
  /** From 0 to before 1. */
  readonly uniform: () => number;
  /** A sum of twelve uniforms less six. */
  readonly normal: () => number;
}

export function drawing(seed: number): Drawing {
  const generator = xoroshiro128plus(seed);
  const uniform = (): number => uniformFloat64(generator);
  const normal = (): number => {
    let sum = -6;
    for (let n = 0; n < 12; n++) sum += uniform();
    return sum;
  };
  return { uniform, normal };
}

/** A validated case of normal-like values (sums of twelve uniforms), judged as random. */
export function drawCase(seed: number, changes: CaseChanges = {}): AttentionCase {
  const {
    bias,
    shift,
    sink,
    mask,
    lengths,
    dLse,
    gradients: _,
    judging,
    adjust,
    ...given
  } = changes;
  const merged = { ...PLAIN, ...given };
  const parameters: CaseParameters = {
    ...merged,
    wants: wantsOf(changes, merged.dim_y),
    partition: given.partition ?? { ranks: 1, q: [merged.seq_q], kv: [merged.seq_kv] },
  };
  const { uniform, normal: drawn } = drawing(seed);
  const normal = (): number => roundTo(parameters.dtype, drawn());
  const fill = (shape: number[], value: () => number): Tensor =>
    tensorOf<number>(Float64Array.from({ length: elementCount(shape) }, value), shape);
  const draw = (...shape: number[]): Tensor => fill(shape, normal);
  const p = parameters;
  const {
    batch: b,
    heads: h,
    kv_heads: g,
    seq_q: n,
    seq_kv: m,
    head_dim: d,
    head_dim_v: e,
    dim_y: y,
  } = p;
  const inputs: CaseInputs = { q: draw(b, h, n, d) };
  if (y === undefined) Object.assign(inputs, { k: draw(b, g, m, d), v: draw(b, g, m, e) });
  else Object.assign(inputs, { y: draw(b, m, y), w_k: draw(y, g * d), w_v: draw(y, g * e) });
  if (wantsGradients(p)) {
    inputs.d_out = draw(b, h, n, e);
    if (dLse !== false) inputs.d_lse = draw(b, h, n);
  }
  if (bias !== undefined) {
    inputs.bias = mapTensor(draw(...bias), (x) => roundTo(p.dtype, x + (shift ?? 0)));
  }
  if (sink === true) inputs.sink = draw(h);
  if (mask !== undefined) inputs.mask = fill(mask, () => (uniform() < 0.67 ? 1 : 0));
  if (lengths !== undefined) inputs.kv_lengths = tensorOf<number>(lengths, [b]);
  if (p.dropout_rate > 0) {
    inputs.dropout_keep = fill([b, h, n, m], () => (uniform() < p.dropout_rate ? 0 : 1));
  }
  if (p.media !== null) {
    inputs.media_text = fill([b, n], () => Math.floor(uniform() * 4));
    inputs.media_key = fill([b, m], () => 1 + Math.floor(uniform() * 3));
  }
  adjust?.(inputs, parameters, (count) => Math.floor(uniform() * count));
  return validateCase(parameters, inputs, judging ?? 'random');
}
