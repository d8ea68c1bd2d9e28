/**
 * Products of whole matrices with a bound of every element's error, by the kernels' tile product.
 * @module
 */
import type { Sums } from './backward.ts';
import type { KernelModule } from './module.ts';
import { TILE } from './problem.ts';
import { dotDepth, SLACK, TINY, U } from './radius.ts';

/** A row-major matrix; `error` bounds how far each element is from the matrix meant, null = exact. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly value: Float64Array;
  readonly error: Float64Array | null;
}

/** Terms of a dot product that are in the kernels' memory at a time. */
const DEPTH = 512;

const tilesAlong = (extent: number, step: number): number => Math.ceil(extent / step);

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
          extents.map((extent, axis) => Math.min(steps[axis] ?? 0, extent - (start[axis] ?? 0))),
        );
      }
    }
  }
}

/** A B, of plain arrays: [m, k]·[k, n]. */
export function plainProduct(
  kernels: KernelModule,
  a: Float64Array,
  b: Float64Array,
  extents: readonly [number, number, number],
): Float64Array {
  const [m, n, k] = extents;
  const t = kernels.layOut({
    a: TILE * DEPTH,
    b: DEPTH * TILE,
    packedA: TILE * DEPTH,
    packedB: DEPTH * TILE,
    c: TILE * TILE,
  });
  const product = new Float64Array(m * n);
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
        product[to] = (product[to] ?? 0) + (t.c.view[r * TILE + c] ?? 0);
      }
    }
  });
  return product;
}

/** |x|·factor, plus its error where there is one. */
function magnitude({ value, error }: Matrix, factor: number): Float64Array {
  return value.map((x, n) => Math.abs(x) * factor + (error?.[n] ?? 0));
}

/** A B with errors: `Δ(AB) ≤ (ΔA + δu|A|)(|B| + ΔB) + |A|ΔB`, and what underflow loses. */
export function product(kernels: KernelModule, a: Matrix, b: Matrix): Sums {
  const extents = [a.rows, b.columns, a.columns] as const;
  const value = plainProduct(kernels, a.value, b.value, extents);
  const depth = (dotDepth(DEPTH) + tilesAlong(a.columns, DEPTH) + 1) * U * SLACK;
  const error = plainProduct(kernels, magnitude(a, depth), magnitude(b, 1), extents);
  if (b.error !== null) {
    const second = plainProduct(kernels, magnitude({ ...a, error: null }, 1), b.error, extents);
    second.forEach((x, n) => {
      error[n] = (error[n] ?? 0) + x;
    });
  }
  const lost = (a.columns + 2) * 4 * TINY;
  return { value, error: error.map((x) => x * SLACK + lost) };
}

/** The transposed matrix, copied. */
export function transposed({ rows, columns, value, error }: Matrix): Matrix {
  const turn = (from: Float64Array): Float64Array => {
    const to = new Float64Array(from.length);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c] ?? 0;
    }
    return to;
  };
  return {
    rows: columns,
    columns: rows,
    value: turn(value),
    error: error === null ? null : turn(error),
  };
}
