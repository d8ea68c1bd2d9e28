/**
 * A case carried into a number system: the same question with its reals as T.
 *
 * Masks, lengths and media positions are structure, not reals, and stay as they are.
 * @module
 */

import type { AttentionCase, CaseParameters, InputName } from '../case/case.ts';
import { visibility } from '../case/mask.ts';
import type { Arithmetic } from '../numbers/arithmetic.ts';
import { broadcastGet, filled, lazyTensor, mapTensor, type Tensor } from '../numbers/tensor.ts';
import { type Features, recomputeKeysAndValues } from './recompute.ts';

/** Everything the definition reads. Tensors may be replaced (tests perturb them), shapes may not. */
export interface Problem<T> {
  readonly arithmetic: Arithmetic<T>;
  readonly parameters: CaseParameters;
  /** May query i of head h attend to key j, in batch entry b? spec (5) */
  readonly visible: (b: number, h: number, i: number, j: number) => boolean;
  /** q [B, Hq, Sq, d], k [B, Hkv, Skv, d], v [B, Hkv, Skv, dv] */
  q: Tensor<T>;
  k: Tensor<T>;
  v: Tensor<T>;
  scale: T;
  softcap: T;
  /** Broadcasts to [B, Hq, Sq, Skv]. */
  bias: Tensor<T> | null;
  /** [Hq] */
  sink: Tensor<T> | null;
  /** κ = keep/(1 − rate), spec (8); null = no dropout. */
  readonly dropout: ((b: number, h: number, i: number, j: number) => T) | null;
  /** [B, Hq, Sq, dv] and [B, Hq, Sq]; zeros where the case gives none. */
  dOut: Tensor<T>;
  dLse: Tensor<T>;
  /** y [B, Skv, dim_y], w_k [dim_y, Hkv·d], w_v [dim_y, Hkv·dv]; null without recomputation. */
  features: Features<T> | null;
}

function required(attentionCase: AttentionCase, name: InputName): Tensor {
  const tensor = attentionCase.inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  return tensor;
}

function dropoutFactor<T>(
  arithmetic: Arithmetic<T>,
  attentionCase: AttentionCase,
): Problem<T>['dropout'] {
  const keep = attentionCase.inputs.dropout_keep;
  if (keep === undefined) return null;
  const { fromNumber, one, sub, div, zero } = arithmetic;
  const kept = div(one, sub(one, fromNumber(attentionCase.parameters.dropout_rate)));
  return (b, h, i, j) => (broadcastGet(keep, [b, h, i, j]) === 0 ? zero : kept);
}

/**
 * The case over `arithmetic`. K and V are recomputed from the features where there are any. `lazy`:
 * inputs are carried over at each reading, for when little of a large case is read.
 */
export function lift<T>(
  arithmetic: Arithmetic<T>,
  attentionCase: AttentionCase,
  { lazy = false }: { readonly lazy?: boolean } = {},
): Problem<T> {
  const { parameters, inputs } = attentionCase;
  const { batch, heads, seq_q, head_dim_v, dim_y } = parameters;
  // What is not finite is never read (its key, or with a bias its pair, is invisible), so its value is free: zero.
  const real = (value: number): T => arithmetic.fromNumber(Number.isFinite(value) ? value : 0);
  const carry = lazy ? lazyTensor<number, T> : mapTensor<number, T>;
  const over = (tensor: Tensor): Tensor<T> => carry(tensor, real);
  const optional = (name: InputName): Tensor<T> | null => {
    const tensor = inputs[name];
    return tensor === undefined ? null : over(tensor);
  };
  const features: Features<T> | null =
    dim_y === undefined
      ? null
      : {
          y: over(required(attentionCase, 'y')),
          wK: over(required(attentionCase, 'w_k')),
          wV: over(required(attentionCase, 'w_v')),
        };
  const [k, v] =
    features === null
      ? [over(required(attentionCase, 'k')), over(required(attentionCase, 'v'))]
      : recomputeKeysAndValues(arithmetic, parameters, features);
  return {
    arithmetic,
    parameters,
    visible: visibility(attentionCase),
    q: over(required(attentionCase, 'q')),
    k,
    v,
    scale: arithmetic.fromNumber(parameters.scale),
    softcap: arithmetic.fromNumber(parameters.softcap),
    bias: optional('bias'),
    sink: optional('sink'),
    dropout: dropoutFactor(arithmetic, attentionCase),
    dOut: optional('d_out') ?? filled([batch, heads, seq_q, head_dim_v], arithmetic.zero),
    dLse: optional('d_lse') ?? filled([batch, heads, seq_q], arithmetic.zero),
    features,
  };
}
