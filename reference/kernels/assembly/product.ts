/**
 * Matrix products of tiles, both operands packed into panels of four.
 *
 * A panel holds four rows (of the left operand) or four columns (of the right one) side by side:
 * element k of all four, then k + 1. Every dot product is summed in the same order whatever the
 * tile: chunks of CHUNK terms from the first to the last, then the chunks. All addresses are bytes.
 * @module
 */

const CHUNK: i32 = 32;

/** Four rows of `source` (row length `stride` doubles) into each panel; missing rows are zero. */
export function packRows(source: usize, panel: usize, rows: i32, depth: i32, stride: i32): void {
  let to = panel;
  for (let r = 0; r < rows; r += 4) {
    for (let lane = 0; lane < 4; lane++) {
      let target = to + (<usize>lane << 3);
      const from = source + ((<usize>(r + lane) * stride) << 3);
      if (r + lane < rows) {
        for (let k = 0; k < depth; k++, target += 32) {
          store<f64>(target, load<f64>(from + (<usize>k << 3)));
        }
      } else for (let k = 0; k < depth; k++, target += 32) store<f64>(target, 0);
    }
    to += <usize>depth << 5;
  }
}

/** Four columns of `source` (depth rows of `stride` doubles) into each panel; missing ones are zero. */
export function packColumns(source: usize, panel: usize, depth: i32, columns: i32, stride: i32): void {
  let to = panel;
  for (let c = 0; c < columns; c += 4) {
    let from = source + (<usize>c << 3);
    const whole = c + 4 <= columns;
    for (let k = 0; k < depth; k++, to += 32, from += <usize>stride << 3) {
      if (whole) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
      } else {
        for (let lane = 0; lane < 4; lane++) {
          const at = <usize>lane << 3;
          store<f64>(to + at, c + lane < columns ? load<f64>(from + at) : 0);
        }
      }
    }
  }
}

@inline
function put(to: usize, value: v128, add: bool): void {
  v128.store(to, add ? f64x2.add(v128.load(to), value) : value);
}

/** A 4×4 tile of C, one chunk of terms: C = A B, or C += A B. */
function chunk(a: usize, b: usize, c: usize, depth: i32, stride: usize, add: bool): void {
  let c00 = f64x2.splat(0);
  let c01 = f64x2.splat(0);
  let c10 = f64x2.splat(0);
  let c11 = f64x2.splat(0);
  let c20 = f64x2.splat(0);
  let c21 = f64x2.splat(0);
  let c30 = f64x2.splat(0);
  let c31 = f64x2.splat(0);
  const end = a + (<usize>depth << 5);
  for (; a < end; a += 32, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load64_splat(a);
    c00 = f64x2.add(c00, f64x2.mul(a0, b0));
    c01 = f64x2.add(c01, f64x2.mul(a0, b1));
    const a1 = v128.load64_splat(a, 8);
    c10 = f64x2.add(c10, f64x2.mul(a1, b0));
    c11 = f64x2.add(c11, f64x2.mul(a1, b1));
    const a2 = v128.load64_splat(a, 16);
    c20 = f64x2.add(c20, f64x2.mul(a2, b0));
    c21 = f64x2.add(c21, f64x2.mul(a2, b1));
    const a3 = v128.load64_splat(a, 24);
    c30 = f64x2.add(c30, f64x2.mul(a3, b0));
    c31 = f64x2.add(c31, f64x2.mul(a3, b1));
  }
  put(c, c00, add);
  put(c + 16, c01, add);
  put(c + stride, c10, add);
  put(c + stride + 16, c11, add);
  put(c + 2 * stride, c20, add);
  put(c + 2 * stride + 16, c21, add);
  put(c + 3 * stride, c30, add);
  put(c + 3 * stride + 16, c31, add);
}

/**
 * C [rows, columns] = A B, or C += A B, from panels; rows and columns are rounded up to fours and C
 * must have the room. `stride` is the row length of C in doubles.
 */
export function multiply(
  a: usize,
  b: usize,
  c: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  stride: i32,
  accumulate: bool,
): void {
  const panel = <usize>depth << 5;
  const rowBytes = <usize>stride << 3;
  for (let j = 0; j < columns; j += 4) {
    const bPanel = b + <usize>(j >> 2) * panel;
    for (let i = 0; i < rows; i += 4) {
      const aPanel = a + <usize>(i >> 2) * panel;
      const at = c + <usize>i * rowBytes + (<usize>j << 3);
      for (let k = 0; k < depth; k += CHUNK) {
        const skip = <usize>k << 5;
        chunk(aPanel + skip, bPanel + skip, at, min(CHUNK, depth - k), rowBytes, accumulate || k > 0);
      }
    }
  }
}

/** to[n] += from[n] for `count` doubles, an even number. */
export function addTile(to: usize, from: usize, count: i32): void {
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    v128.store(to + n, f64x2.add(v128.load(to + n), v128.load(from + n)));
  }
}

/** Largest magnitude of each column of `source` [rows, width], into `to`; width is even. */
export function columnMaxima(source: usize, to: usize, rows: i32, width: i32): void {
  for (let c: usize = 0; c < <usize>width << 3; c += 16) {
    let top = f64x2.splat(0);
    let from = source + c;
    for (let r = 0; r < rows; r++, from += <usize>width << 3) {
      top = f64x2.max(top, f64x2.abs(v128.load(from)));
    }
    v128.store(to + c, top);
  }
}

/** Σ x² of each row of `source` [rows, width] into `to`, width even; the largest is returned. */
export function rowSquares(source: usize, to: usize, rows: i32, width: i32): f64 {
  let largest: f64 = 0;
  for (let r = 0; r < rows; r++) {
    let sum = f64x2.splat(0);
    const end = source + (<usize>width << 3);
    for (; source < end; source += 16) {
      const x = v128.load(source);
      sum = f64x2.add(sum, f64x2.mul(x, x));
    }
    const square = f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
    store<f64>(to + (<usize>r << 3), square);
    largest = max(largest, square);
  }
  return largest;
}
