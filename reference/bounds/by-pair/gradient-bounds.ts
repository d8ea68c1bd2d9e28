/**
 * Bounds of the gradients once all rows are added, and of what dK and dV go on to: dY and dW. spec/bounds.md §4
 * @module
 */

import { FEATURE_GRADIENTS, type OutputName } from '../../case/case.ts';
import { nth } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { projectedTerms, projectionTermError } from '../lemmas/gradient-errors.ts';
import { increment } from './add.ts';
import { type Backward, DIRECT, type Sums } from './bounds-backward.ts';
import { type CertifiedCase, type FlatBalls, upper } from './certified.ts';
import { finishSum, type Summed } from './summed.ts';

/** Bounds of every gradient of the case, flat, once all rows are added. */
export function backwardBounds(
  { c, model, errors }: Backward,
  sums: Sums<Summed>,
): Map<OutputName, Float64Array> {
  const { partition, heads, kv_heads } = c.parameters;
  const { ranks } = partition;
  const bounds = new Map<OutputName, Float64Array>();
  const exact = (name: OutputName): FlatBalls => {
    const balls = c.gradients?.get(name);
    if (balls === undefined) throw new Error(`"${name}" was not computed`);
    return balls;
  };
  for (const name of DIRECT) {
    const [error, sum] = [errors[name], sums[name]];
    if (error === undefined || sum === undefined) continue;
    const parts = name === 'd_k' || name === 'd_v' ? heads / kv_heads : 1;
    bounds.set(name, finishSum(model, error, sum, exact(name), { ranks, parts }));
  }
  if (c.features === null) return bounds;
  for (const [name, bound] of projectionBounds(c, model, bounds, exact)) bounds.set(name, bound);
  return bounds;
}

/** Adds Σ|w| ΔdX to dY and Σ|y| ΔdX to dW, with the magnitudes that are summed. Lemma Project. */
function addProjection(
  model: ErrorModel,
  [dY, dW]: readonly [Summed & { error: Float64Array }, Summed & { error: Float64Array }],
  [y, w]: readonly [Float64Array, Float64Array],
  [x, xError]: readonly [Float64Array, Float64Array],
  [heads, seq, width]: readonly [number, number, number],
): void {
  const columns = heads * width;
  const dimY = w.length / columns;
  const terms = projectedTerms(model);
  for (let n = 0; n < x.length; n++) {
    const [size, error] = [nth(x, n), nth(xError, n)];
    const row = Math.floor(n / width);
    const column = (Math.floor(row / seq) % heads) * width + (n % width);
    const yAt = (Math.floor(row / seq / heads) * seq + (row % seq)) * dimY;
    for (let e = 0; e < dimY; e++) {
      const wAt = e * columns + column;
      const [a, f] = [Math.abs(nth(w, wAt)), Math.abs(nth(y, yAt + e))];
      increment(dY.error, yAt + e, 1, projectionTermError(terms, size, error, a));
      increment(dY.magnitude, yAt + e, 1, size * a);
      increment(dY.terms, yAt + e, 1);
      increment(dW.error, wAt, 1, projectionTermError(terms, size, error, f));
      increment(dW.magnitude, wAt, 1, size * f);
      increment(dW.terms, wAt, 1);
    }
  }
}

/** Bounds of those of dY, dW_K, dW_V that the case has, from those of dK and dV. Lemma Project. */
function projectionBounds(
  c: CertifiedCase,
  model: ErrorModel,
  bounds: ReadonlyMap<OutputName, Float64Array>,
  exact: (name: OutputName) => FlatBalls,
): [OutputName, Float64Array][] {
  const { features, parameters: p } = c;
  const [dK, dV] = [bounds.get('d_k'), bounds.get('d_v')];
  const wanted = FEATURE_GRADIENTS.filter((name) => c.gradients?.has(name));
  if (features === null || dK === undefined || dV === undefined || wanted.length === 0) return [];
  const { y, wK, wV } = features;
  const sum = (size: number) => ({
    error: new Float64Array(size),
    magnitude: new Float64Array(size),
    terms: new Float64Array(size),
  });
  const [dY, dWK, dWV] = [sum(y.length), sum(wK.length), sum(wV.length)];
  addProjection(
    model,
    [dY, dWK],
    [y, wK],
    [upper(exact('d_k')), dK],
    [p.kv_heads, p.seq_kv, p.head_dim],
  );
  addProjection(
    model,
    [dY, dWV],
    [y, wV],
    [upper(exact('d_v')), dV],
    [p.kv_heads, p.seq_kv, p.head_dim_v],
  );
  const made = { d_y: dY, d_w_k: dWK, d_w_v: dWV };
  return wanted.map((name) => {
    const sums = made[name];
    return [name, finishSum(model, sums.error, sums, exact(name), { ranks: p.partition.ranks })];
  });
}
