/**
 * The largest components of K and V over the keys of each head, and of what they are recomputed from.
 * Rounded up.
 * @module
 */

import type { AttentionCase, InputName } from '../../case/case.ts';
import { recomputedKeys } from '../../kernels/float64/certify.ts';
import { inputOf } from '../../kernels/float64/features.ts';
import type { MadeSizes } from '../../kernels/float64/key-sizes.ts';
import type { KeyErrors } from '../../kernels/walk/problem.ts';
import { nth } from '../../numbers/nth.ts';
import { forEachRun, type Tensor } from '../../numbers/tensor.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { projectionError, projectionTerms } from '../lemmas/step-errors.ts';

/** Largest |X_jc| over the keys of a head, and the largest ‖X_j‖ and Σ_c|X_jc|. */
export interface Largest {
  readonly columns: Float64Array;
  norm: number;
  sum: number;
  /** Of X = Y W: what its error is made of; null where X is given. */
  readonly made: Recomputed | null;
}

/** Largest Σ_e|y_je||w_ec| and Σ_e(|y_je| + |w_ec|) over the keys, by component; e of dim_y. */
export interface Recomputed {
  readonly dimY: number;
  /** How far X may be off as the kernels compute it. */
  readonly radius: Float64Array;
  readonly products: Float64Array;
  readonly terms: Float64Array;
}

/** Sums of the row that a run ended in, so far. */
interface Unfinished {
  readonly squares: number;
  readonly sum: number;
}

/** The elements of one head in `run`, from component `c` on, into `one`. */
function addRun(one: Largest, run: Float64Array, c: number, begun: Unfinished): Unfinished {
  const { columns } = one;
  const width = columns.length;
  let [at, { squares, sum }, norm, most] = [c, begun, 0, 0];
  for (let n = 0; n < run.length; n++) {
    const size = Math.abs(nth(run, n));
    if (size < Number.POSITIVE_INFINITY) {
      if (size > nth(columns, at)) columns[at] = size;
      squares += size * size;
      sum += size;
    }
    if (++at < width) continue;
    if (squares > norm) norm = squares;
    if (sum > most) most = sum;
    at = 0;
    squares = 0;
    sum = 0;
  }
  one.norm = Math.max(one.norm, Math.sqrt(norm));
  one.sum = Math.max(one.sum, most);
  return { squares, sum };
}

/** The largest of every KV head of K or V as given, [B·Hkv]. What is not finite belongs to keys that nobody sees. */
export function largestOfHeads(tensor: Tensor): Largest[] {
  const [batch = 0, heads = 0, seq = 0, width = 0] = tensor.shape;
  const all = Array.from({ length: batch * heads }, () => ({
    columns: new Float64Array(width),
    norm: 0,
    sum: 0,
    made: null,
  }));
  let begun: Unfinished = { squares: 0, sum: 0 };
  forEachRun(tensor, (start, run) => {
    for (let n = 0; n < run.length; ) {
      const [flat, each] = [start + n, seq * width];
      const end = Math.min(run.length, n + each - (flat % each));
      const one = all[Math.floor(flat / each)];
      if (one === undefined) throw new Error('no such KV head');
      begun = addRun(one, run.subarray(n, end), flat % width, begun);
      n = end;
    }
  });
  return all;
}

/** The largest of every head of X = Y W, its own error included. */
function largestRecomputed(
  { columns, products, terms, norm, sum }: MadeSizes,
  [errors, errorNorm]: readonly [Float64Array, Float64Array],
  dimY: number,
): Largest[] {
  const width = columns.length / Math.max(1, norm.length);
  return Array.from(norm, (length, head) => {
    const part = (from: Float64Array) => from.subarray(head * width, (head + 1) * width);
    const off = part(errors);
    return {
      columns: part(columns).map((x, c) => x + nth(off, c)),
      norm: length + nth(errorNorm, head),
      sum: nth(sum, head) + off.reduce((all, x) => all + x, 0),
      made: { dimY, radius: off, products: part(products), terms: part(terms) },
    };
  });
}

/** The largest of K and of V, which a whole case has in common. */
export interface LargestInputs {
  readonly keys: readonly Largest[];
  readonly values: readonly Largest[];
  /** How far K and V are off as the kernels recompute them; null where they are given. */
  readonly errors: KeyErrors | null;
}

export function largestInputs(attentionCase: AttentionCase, threads: number): LargestInputs {
  const { dim_y } = attentionCase.parameters;
  if (dim_y === undefined) {
    const of = (name: InputName) => largestOfHeads(inputOf(attentionCase, name));
    return { keys: of('k'), values: of('v'), errors: null };
  }
  const { sizes, errors } = recomputedKeys(attentionCase, threads);
  return {
    keys: largestRecomputed(sizes.k, [errors.key, errors.keyNorm], dim_y),
    values: largestRecomputed(sizes.v, [errors.value, errors.valueNorm], dim_y),
    errors,
  };
}

/** Error of each component of K or V as an operand, at most: Lemma Recompute, or that of an input near zero. */
export function operandErrors(model: ErrorModel, { columns, made }: Largest): Float64Array {
  if (made === null) return columns.map(() => model.inputTiny);
  const { dimY, products, terms } = made;
  const ofProjection = projectionTerms(model, dimY);
  return columns.map((x, c) =>
    projectionError(ofProjection, { magnitude: nth(products, c), sizes: nth(terms, c), x }),
  );
}

/** Largest |X_jc| there is. */
export const largestComponent = (heads: readonly Largest[]): number =>
  heads.reduce((most, { columns }) => columns.reduce((x, y) => Math.max(x, y), most), 0);
