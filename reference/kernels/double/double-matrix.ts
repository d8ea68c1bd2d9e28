/**
 * Products of whole matrices in double-double by slices, with a bound of every element's error.
 *
 * Radii as in spec/bounds.md §9, lemma Slices.
 * @module
 */

import { nth, nthIfAny } from '../../numbers/nth.ts';
import { DEPTH, plainProduct } from '../float64/matrix.ts';
import { SLACK } from '../float64/radius.ts';
import type { KernelModule, Tile } from '../module.ts';
import { TILE } from '../walk/problem.ts';
import { fresh, type Room } from '../walk/room.ts';
import { LOST, STEP, slicedProduct } from './double-radius.ts';
import { addSliced, cut, lossless, slicedSize } from './double-slices.ts';

/** A row-major matrix high + low; low null = 0, error null = exact. */
export interface DoubleMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly high: Float64Array;
  readonly low: Float64Array | null;
  readonly error: Float64Array | null;
}

export function doubleTransposed({ rows, columns, ...m }: DoubleMatrix): DoubleMatrix {
  const turn = (from: Float64Array): Float64Array => {
    const to = new Float64Array(from.length);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) to[c * rows + r] = nth(from, r * columns + c);
    }
    return to;
  };
  const maybe = (from: Float64Array | null) => (from === null ? null : turn(from));
  return {
    rows: columns,
    columns: rows,
    high: turn(m.high),
    low: maybe(m.low),
    error: maybe(m.error),
  };
}

/** A right factor by its columns, made once for many products. */
export interface RightFactor {
  /** B transposed. */
  readonly turned: DoubleMatrix;
  /** Largest magnitude of each column. */
  readonly peaks: Float64Array;
}

export function rightFactor(b: DoubleMatrix): RightFactor {
  const turned = doubleTransposed(b);
  return { turned, peaks: peaks(turned) };
}

/** Largest magnitude of each row. */
function peaks({ rows, columns, high }: DoubleMatrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, r) =>
    high.subarray(r * columns, (r + 1) * columns).reduce((top, x) => Math.max(top, Math.abs(x)), 0),
  );
}

/** Cuts `count` rows of a matrix from (row, column) on, `depth` numbers of each. */
function cutRows(
  kernels: KernelModule,
  { columns, high, low }: DoubleMatrix,
  [row, column, count, depth]: readonly [number, number, number, number],
  [highTile, lowTile, slices]: readonly [Tile, Tile, Tile],
) {
  for (let r = 0; r < count; r++) {
    const from = (row + r) * columns + column;
    highTile.view.set(high.subarray(from, from + depth), r * depth);
    if (low !== null) lowTile.view.set(low.subarray(from, from + depth), r * depth);
  }
  const words = { high: highTile.at, low: low === null ? 0 : lowTile.at };
  return cut(kernels, words, [depth, 1], count, depth, slices.at);
}

const magnitudes = (values: Float64Array): Float64Array => values.map(Math.abs);

/** What the errors of two factors, of which one at least is exact, make of their product. */
function carried(kernels: KernelModule, a: DoubleMatrix, b: DoubleMatrix): Float64Array | null {
  const extents = [a.rows, b.columns, a.columns] as const;
  if (a.error !== null) return plainProduct(kernels, a.error, magnitudes(b.high), extents);
  if (b.error !== null) return plainProduct(kernels, magnitudes(a.high), b.error, extents);
  return null;
}

/** A B with errors: n terms lose `n·max|x|·max|y|` times what a sliced product and its sums do. */
export function doubleProduct(
  kernels: KernelModule,
  a: DoubleMatrix,
  b: DoubleMatrix,
): DoubleMatrix {
  if (a.error !== null && b.error !== null) throw new RangeError('one factor expected exact');
  return slicedMatrixProduct(kernels, a, rightFactor(b), carried(kernels, a, b), 'product', fresh);
}

/** A B of exact matrices. */
export const exactProduct = (
  kernels: KernelModule,
  a: DoubleMatrix,
  b: RightFactor,
  room = fresh,
): DoubleMatrix => slicedMatrixProduct(kernels, a, b, null, 'product', room);

/** The errors that A B of exact matrices would have. */
export const exactProductErrors = (
  kernels: KernelModule,
  a: DoubleMatrix,
  b: RightFactor,
  room = fresh,
): Float64Array =>
  slicedMatrixProduct(kernels, a, b, null, 'errors', room).error ?? new Float64Array();

function slicedMatrixProduct(
  kernels: KernelModule,
  a: DoubleMatrix,
  { turned, peaks: bPeaks }: RightFactor,
  fromFactors: Float64Array | null,
  wanted: 'product' | 'errors',
  room: Room,
): DoubleMatrix {
  const [rows, columns, terms] = [a.rows, turned.rows, a.columns];
  const word = (name: string) => room(name, rows * columns);
  const [high, low, error] = [word('high'), word('low'), word('error')];
  const t = kernels.layOut({
    a: TILE * DEPTH,
    aLow: TILE * DEPTH,
    aSlices: slicedSize(TILE, DEPTH),
    b: TILE * DEPTH,
    bLow: TILE * DEPTH,
    bSlices: slicedSize(TILE, DEPTH),
    high: TILE * TILE,
    low: TILE * TILE,
  });
  const aPeaks = peaks(a);
  const sums = terms * 4 * STEP * (1 + terms / 4096);
  for (let i = 0; i < rows; i += TILE) {
    for (let j = 0; j < columns; j += TILE) {
      const [m, n] = [Math.min(TILE, rows - i), Math.min(TILE, columns - j)];
      let [failed, whole] = [false, true];
      t.high.view.fill(0);
      t.low.view.fill(0);
      for (let l = 0; l < terms; l += DEPTH) {
        const depth = Math.min(DEPTH, terms - l);
        const left = cutRows(kernels, a, [i, l, m, depth], [t.a, t.aLow, t.aSlices]);
        const right = cutRows(kernels, turned, [j, l, n, depth], [t.b, t.bLow, t.bSlices]);
        const to = { high: t.high.at, low: t.low.at };
        if (wanted === 'product') addSliced(kernels, left, right, [m, n, TILE], to);
        failed ||= left.failed || right.failed;
        whole &&= lossless(left, right);
      }
      const sliced = failed ? Number.POSITIVE_INFINITY : sums + (whole ? 0 : slicedProduct(terms));
      for (let r = 0; r < m; r++) {
        for (let c = 0; c < n; c++) {
          const at = (i + r) * columns + j + c;
          const [x, y] = [nth(aPeaks, i + r), nth(bPeaks, j + c)];
          high[at] = nth(t.high.view, r * TILE + c);
          low[at] = nth(t.low.view, r * TILE + c);
          const lost = (terms + 1) * (1 + x) * (1 + y) * LOST;
          error[at] = failed
            ? Number.POSITIVE_INFINITY
            : (x * y * sliced + lost + nthIfAny(fromFactors, at)) * SLACK;
        }
      }
    }
  }
  return { rows, columns, high, low, error };
}
