/**
 * Operands that an honest candidate may not be able to hold: keys and values, recomputed or narrowed.
 *
 * One that overflows spoils whatever is multiplied by it, a weight of zero included: a program may
 * compute every pair and mask afterwards. spec (5g), Lemma Range of spec/bounds.md §4
 * @module
 */

import type { Problem } from '../../definition/lift.ts';
import type { Features } from '../../definition/recompute.ts';
import { entry } from '../../numbers/nth.ts';
import { filled, forEachIndex, type Tensor } from '../../numbers/tensor.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { changed, type Limits, narrowed, over, scales } from './range-limits.ts';

/** By KV head: is some key lost, and by component: some value? [B, Hkv], [B, Hkv, dv] */
export interface LostOperands {
  readonly keys: Tensor<boolean>;
  readonly values: Tensor<boolean>;
}

/** Σ|y||w| of an element of X = Y W, infinite where a part of it does not fit as an operand. */
function recomputedSize(
  model: ErrorModel,
  limits: Limits,
  y: Tensor,
  w: Tensor,
  [b, j, column]: readonly [number, number, number],
): number {
  let sum = 0;
  for (let e = 0; e < entry(w.shape, 0); e++) {
    const [f, a] = [y.get(b, j, e), w.get(e, column)];
    const lost = narrowed(model) && (over(f, limits.operand) || over(a, limits.operand));
    sum += lost ? Number.POSITIVE_INFINITY : Math.abs(f * a);
  }
  return sum;
}

/** Is an element of K or V lost, `factor` being what may be multiplied into it first? */
function isLost(
  { features }: Problem<number>,
  model: ErrorModel,
  limits: Limits,
  [x, at]: readonly [Tensor, readonly number[]],
  { weights, factor }: { weights: 'wK' | 'wV'; factor: number },
): boolean {
  const [b = 0, g = 0, j = 0, c = 0] = at;
  const value = x.get(b, g, j, c);
  if (features === null) return changed(model, factor) && over(value * factor, limits.operand);
  const w = features[weights as keyof Features<number>];
  const place = [b, j, g * entry(x.shape, 3) + c] as const;
  return (
    over(value * factor, limits.operand) ||
    over(recomputedSize(model, limits, features.y, w, place), limits.sum)
  );
}

export function lostOperands(
  problem: Problem<number>,
  model: ErrorModel,
  limits: Limits,
): LostOperands {
  const { parameters, k, v } = problem;
  const { batch, kv_heads, head_dim_v, scale } = parameters;
  const keys = filled([batch, kv_heads], false);
  const values = filled([batch, kv_heads, head_dim_v], false);
  const ofKey = { weights: 'wK', factor: scales(scale).k } as const;
  const ofValue = { weights: 'wV', factor: 1 } as const;
  forEachIndex(k.shape, (at) => {
    const [b = 0, g = 0] = at;
    if (isLost(problem, model, limits, [k, at], ofKey)) keys.set(b, g, true);
  });
  forEachIndex(v.shape, (at) => {
    const [b = 0, g = 0, , c = 0] = at;
    if (isLost(problem, model, limits, [v, at], ofValue)) values.set(b, g, c, true);
  });
  return { keys, values };
}
