/**
 * What is known of recomputed K and V as a whole: how far they may be off, and how large they and what they
 * are made of are. spec (24)
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { nth } from '../../numbers/nth.ts';
import { featureModule } from '../module.ts';
import { type KernelProblem, type KeyErrors, readRows } from '../walk/problem.ts';
import { featureReader, headWeights, inputOf, type Question } from './features.ts';
import { DEPTH, type Matrix, magnitude, plainProduct, productErrors } from './matrix.ts';
import { norm } from './radius.ts';

export function newKeyErrors(
  { parameters: p }: Question,
  allocate: (length: number) => Float64Array,
): KeyErrors {
  const heads = p.batch * p.kv_heads;
  return {
    keyNorm: allocate(heads),
    valueNorm: allocate(heads),
    key: allocate(heads * p.head_dim),
    value: allocate(heads * p.head_dim_v),
  };
}

type RoomyQuestion = Question & Pick<KernelProblem, 'room'>;

/** Units of a task on K and on V of every head. */
export const keyUnits = ({ batch, kv_heads }: CaseParameters): number => 2 * batch * kv_heads;

/** A task's unit `n` of keyUnits: K or V of one head, and Y a few keys at a time. */
interface KeyUnit {
  readonly head: number;
  readonly side: 'k' | 'v';
  readonly width: number;
  readonly w: Matrix;
  /** Calls `visit` with all keys' features. */
  readonly eachRows: (visit: (y: Matrix) => void) => void;
}

function keyUnit({ parameters, inputs, room }: RoomyQuestion, n: number): KeyUnit {
  const [head, side] = [Math.floor(n / 2), n % 2 === 0 ? ('k' as const) : ('v' as const)];
  const { kv_heads, seq_kv, dim_y = 0, head_dim, head_dim_v } = parameters;
  const width = side === 'k' ? head_dim : head_dim_v;
  const w = headWeights(inputOf({ inputs }, `w_${side}`), head % kv_heads, width, room);
  const features = featureReader(inputOf({ inputs }, 'y'), 0, dim_y);
  const eachRows: KeyUnit['eachRows'] = (visit) => {
    for (let first = 0; first < seq_kv; first += DEPTH) {
      const rows = Math.min(DEPTH, seq_kv - first);
      const keys = Array.from({ length: rows }, (_, r) => first + r);
      const value = room('rows', rows * dim_y);
      readRows(features, Math.floor(head / kv_heads), 0, keys, value, dim_y);
      visit({ rows, columns: dim_y, value, error: null });
    }
  };
  return { head, side, width, w, eachRows };
}

/** The largest of each column of [rows, width], taken into `most`. */
function raiseColumns(most: Float64Array, from: Float64Array): void {
  const width = most.length;
  for (let n = 0; n < from.length; n++) {
    const c = n % width;
    most[c] = Math.max(nth(most, c), Math.abs(nth(from, n)));
  }
}

/**
 * Errors beyond this are infinite. The error of a product is at least 2⁻⁴⁸ of its terms' sizes; had a sum of
 * them overflowed, and been read as 0, it would be beyond this.
 */
const OVERFLOWING = 2 ** 960;

/**
 * Unit `n` of a task that finds errors: bounds of the errors of K or V as recomputed, over all keys of a head.
 * They are those of `errorsOf` Y W.
 */
export function findKeyErrors(
  question: RoomyQuestion,
  errors: KeyErrors,
  n: number,
  errorsOf: typeof productErrors = productErrors,
): void {
  const { head, side, width, w, eachRows } = keyUnit(question, n);
  const [byComponent, norms] =
    side === 'k' ? [errors.key, errors.keyNorm] : [errors.value, errors.valueNorm];
  eachRows((y) => {
    const found = errorsOf(featureModule(), y, w, question.room);
    for (let at = 0; at < found.length; at++) {
      if (!(nth(found, at) < OVERFLOWING)) found[at] = Number.POSITIVE_INFINITY;
    }
    raiseColumns(byComponent.subarray(head * width, (head + 1) * width), found);
    for (let from = 0; from < found.length; from += width) {
      const squares = found.subarray(from, from + width).reduce((sum, x) => sum + x * x, 0);
      norms[head] = Math.max(nth(norms, head), norm(squares, width));
    }
  });
}

/** Over the keys of each head of X = Y W, as computed: the largest of each; rounded to nearest. */
export interface MadeSizes {
  /** |X_jc|, Σ_e|y_je||w_ec| and Σ_e(|y_je| + |w_ec|), [B·Hkv, width]. */
  readonly columns: Float64Array;
  readonly products: Float64Array;
  readonly terms: Float64Array;
  /** ‖X_j‖ and Σ_c|X_jc|, [B·Hkv]. */
  readonly norm: Float64Array;
  readonly sum: Float64Array;
}

/** Of K and of V. */
export interface KeySizes {
  readonly k: MadeSizes;
  readonly v: MadeSizes;
}

export function newKeySizes(
  { parameters: p }: Question,
  allocate: (length: number) => Float64Array,
): KeySizes {
  const heads = p.batch * p.kv_heads;
  const of = (width: number): MadeSizes => ({
    columns: allocate(heads * width),
    products: allocate(heads * width),
    terms: allocate(heads * width),
    norm: allocate(heads),
    sum: allocate(heads),
  });
  return { k: of(p.head_dim), v: of(p.head_dim_v) };
}

/** Unit `n` of a task that finds sizes, one of keyUnits. */
export function findKeySizes(question: RoomyQuestion, found: KeySizes, n: number): void {
  const { head, side, width, w, eachRows } = keyUnit(question, n);
  const [kernels, { room }] = [featureModule(), question];
  const { norm: norms, sum: sums, ...byColumn } = found[side];
  const ofHead = (most: Float64Array) => most.subarray(head * width, (head + 1) * width);
  const ofW = magnitude(w, 1, room('|W|', w.value.length));
  const columnSums = new Float64Array(width);
  ofW.forEach((x, at) => {
    columnSums[at % width] = nth(columnSums, at % width) + x;
  });
  let largestRow = 0;
  eachRows((y) => {
    const extents = [y.rows, width, y.columns] as const;
    const x = plainProduct(kernels, y.value, w.value, extents, room);
    raiseColumns(ofHead(byColumn.columns), x);
    for (let from = 0; from < x.length; from += width) {
      const row = x.subarray(from, from + width);
      const squares = row.reduce((sum, one) => sum + one * one, 0);
      norms[head] = Math.max(nth(norms, head), norm(squares, width));
      sums[head] = Math.max(
        nth(sums, head),
        row.reduce((sum, one) => sum + Math.abs(one), 0),
      );
    }
    const ofY = magnitude(y, 1, room('|Y|', y.value.length));
    raiseColumns(ofHead(byColumn.products), plainProduct(kernels, ofY, ofW, extents, room));
    for (let from = 0; from < ofY.length; from += y.columns) {
      let sum = 0;
      for (let at = from; at < from + y.columns; at++) sum += nth(ofY, at);
      largestRow = Math.max(largestRow, sum);
    }
  });
  const terms = ofHead(byColumn.terms);
  columnSums.forEach((sum, c) => {
    terms[c] = sum + largestRow;
  });
}
