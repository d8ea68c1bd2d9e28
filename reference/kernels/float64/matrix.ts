/**
 * Products of whole matrices with a bound of every element's error, by the kernels' tile product.
 * @module
 */

import { entry, nth, nthIfAny } from '../../numbers/nth.ts';
import type { KernelModule } from '../module.ts';
import { TILE } from '../walk/problem.ts';
import { fresh, type Room } from '../walk/room.ts';
import type { Sums } from './backward-work.ts';
import { dotDepth, SLACK, TINY, U } from './radius.ts';

/** A row-major matrix; `error` bounds how far each element is from the matrix meant, null = exact. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly value: Float64Array;
  readonly error: Float64Array | null;
}

/** Terms of a dot product that are in the kernels' memory at a time; a multiple of a sliced sum's. */
export const DEPTH = 512;

/** Calls `visit` with the top left corner and size of every tile. */
function eachTile(
  extents: readonly [number, number, number],
  visit: (start: readonly number[], size: readonly number[]) => void,
): void {
  const steps = [TILE, TILE, DEPTH];
  const start = [0, 0, 0];
  const [m, n, k] = extents;
  for (let i = 0; i < m; i += TILE) {
    for (let j = 0; j < n; j += TILE) {
      for (let l = 0; l < k; l += DEPTH) {
        start.splice(0, 3, i, j, l);
        visit(
          start,
          extents.map((extent, axis) => Math.min(entry(steps, axis), extent - entry(start, axis))),
        );
      }
    }
  }
}

/** into += A B, of plain arrays: [m, k]·[k, n]. No bit of a row depends on the others. */
export function addPlainProduct(
  kernels: KernelModule,
  into: Float64Array,
  a: Float64Array,
  b: Float64Array,
  extents: readonly [number, number, number],
): void {
  const [, n, k] = extents;
  const t = kernels.layOut({
    a: TILE * DEPTH,
    b: DEPTH * TILE,
    packedA: TILE * DEPTH,
    packedB: DEPTH * TILE,
    c: TILE * TILE,
  });
  eachTile(extents, ([i = 0, j = 0, l = 0], [rows = 0, columns = 0, depth = 0]) => {
    for (let r = 0; r < rows; r++) {
      const from = (i + r) * k + l;
      t.a.view.set(a.subarray(from, from + depth), r * DEPTH);
    }
    for (let r = 0; r < depth; r++) {
      const from = (l + r) * n + j;
      t.b.view.set(b.subarray(from, from + columns), r * TILE);
    }
    kernels.run.packRows(t.a.at, t.packedA.at, rows, depth, DEPTH);
    kernels.run.packColumns(t.b.at, t.packedB.at, depth, columns, TILE);
    kernels.run.multiply(t.packedA.at, t.packedB.at, t.c.at, rows, columns, depth, TILE, false);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const to = (i + r) * n + j + c;
        into[to] = nth(into, to) + nth(t.c.view, r * TILE + c);
      }
    }
  });
}

/** A B, of plain arrays. */
export function plainProduct(
  kernels: KernelModule,
  a: Float64Array,
  b: Float64Array,
  extents: readonly [number, number, number],
  room = fresh,
): Float64Array {
  const into = room('product', extents[0] * extents[1]);
  addPlainProduct(kernels, into, a, b, extents);
  return into;
}

/** |x|·factor, plus its error where there is one. */
export function magnitude(
  { value, error }: Matrix,
  factor: number,
  to: Float64Array,
): Float64Array {
  for (let n = 0; n < value.length; n++)
    to[n] = Math.abs(nth(value, n)) * factor + nthIfAny(error, n);
  return to;
}

/** A product whose terms come a part at a time. */
export interface PartialProduct {
  readonly sums: Sums;
  /** Terms of each element, and the DEPTHs that they are summed in. */
  readonly terms: number;
  readonly chunks: number;
}

export const partialProduct = (
  elements: number,
  terms: number,
  chunks = Math.ceil(terms / DEPTH),
  room = fresh,
): PartialProduct => ({
  sums: { value: room('sum', elements), error: room('sum error', elements) },
  terms,
  chunks,
});

/** `Δ(AB) ≤ (ΔA + δu|A|)(|B| + ΔB) + |A|ΔB` of some terms, added. */
function addErrors(
  kernels: KernelModule,
  error: Float64Array,
  chunks: number,
  a: Matrix,
  b: Matrix,
  room: Room,
): void {
  const extents = [a.rows, b.columns, a.columns] as const;
  const depth = (dotDepth(DEPTH) + chunks + 1) * U * SLACK;
  const sizes = room('sizes', a.value.length);
  const sizesB = magnitude(b, 1, room('other sizes', b.value.length));
  addPlainProduct(kernels, error, magnitude(a, depth, sizes), sizesB, extents);
  if (b.error === null) return;
  magnitude({ ...a, error: null }, 1, sizes);
  addPlainProduct(kernels, error, sizes, b.error, extents);
}

/** Adds A B: some of the terms. */
export function addTerms(
  kernels: KernelModule,
  { sums, chunks }: PartialProduct,
  a: Matrix,
  b: Matrix,
  room = fresh,
): void {
  const extents = [a.rows, b.columns, a.columns] as const;
  addPlainProduct(kernels, sums.value, a.value, b.value, extents);
  addErrors(kernels, sums.error, chunks, a, b, room);
}

/** Rounds the errors of a product of so many terms outward, with what underflow loses. */
function outward(error: Float64Array, terms: number): void {
  const lost = (terms + 2) * 4 * TINY;
  for (let n = 0; n < error.length; n++) error[n] = nth(error, n) * SLACK + lost;
}

/** The whole product, once all terms are in; ends it. */
export function wholeProduct({ sums, terms }: PartialProduct): Sums {
  outward(sums.error, terms);
  return sums;
}

/** The errors alone of A B. */
export function productErrors(
  kernels: KernelModule,
  a: Matrix,
  b: Matrix,
  room = fresh,
): Float64Array {
  const error = room('errors', a.rows * b.columns);
  addErrors(kernels, error, Math.ceil(a.columns / DEPTH), a, b, room);
  outward(error, a.columns);
  return error;
}

/** The transposed matrix, copied. */
export function transposed(
  { rows, columns, value, error }: Matrix,
  room = fresh,
  name = 'turned',
): Matrix {
  const turn = (from: Float64Array, to: Float64Array): Float64Array => {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) to[c * rows + r] = nth(from, r * columns + c);
    }
    return to;
  };
  return {
    rows: columns,
    columns: rows,
    value: turn(value, room(name, value.length)),
    error: error === null ? null : turn(error, room(`${name} error`, value.length)),
  };
}
