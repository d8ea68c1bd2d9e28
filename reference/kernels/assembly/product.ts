/**
 * Matrix products of tiles, the right operand packed into panels of four, the left one packed too or
 * a tile of pairs as it lies.
 *
 * A panel holds four rows (of the left operand) or four columns (of the right one) side by side:
 * element k of all four, then k + 1. Every dot product is summed in the same order whatever the
 * tile: chunks of CHUNK terms from the first to the last, then the chunks. All addresses are bytes.
 * @module
 */

const CHUNK: i32 = 32;
/** Bytes of a row of a tile of pairs: PAIR_STRIDE doubles, an odd number of cache lines. */
const PAIR_ROW: usize = 136 * 8;
/** 128 bytes below everything that the caller lays out: a 4×4 tile. */
const SCRATCH: usize = 512;
/** Where `panelProduct` leaves its tile. */
export const PRODUCT: usize = SCRATCH;

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
function addTo(to: usize, left: v128, right: v128): void {
  v128.store(to, f64x2.add(v128.load(to), left));
  v128.store(to, f64x2.add(v128.load(to, 16), right), 16);
}

@inline
function put(to: usize, left: v128, right: v128): void {
  v128.store(to, left);
  v128.store(to, right, 16);
}

/**
 * A 4×4 tile of C, one chunk of at least one term: C = A B, or C += A B. Columns of A are `step` bytes
 * apart; its rows are neighbours, or `Layout` is an integer and they are rows of a tile of pairs.
 *
 * The loop tests at its end and holds eight sums, six operands and one product in sixteen registers:
 * so written it runs at the processor's rate of multiplications; with the test first, at 3/4 of it.
 */
@inline
function chunk<Layout>(
  a: usize,
  step: usize,
  b: usize,
  c: usize,
  depth: i32,
  stride: usize,
  add: bool,
): void {
  let c00 = f64x2.splat(0);
  let c01 = f64x2.splat(0);
  let c10 = f64x2.splat(0);
  let c11 = f64x2.splat(0);
  let c20 = f64x2.splat(0);
  let c21 = f64x2.splat(0);
  let c30 = f64x2.splat(0);
  let c31 = f64x2.splat(0);
  const end = b + (<usize>depth << 5);
  do {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load64_splat(a);
    c00 = f64x2.add(c00, f64x2.mul(a0, b0));
    c01 = f64x2.add(c01, f64x2.mul(a0, b1));
    const a1 = v128.load64_splat(a, isFloat<Layout>() ? 8 : PAIR_ROW);
    c10 = f64x2.add(c10, f64x2.mul(a1, b0));
    c11 = f64x2.add(c11, f64x2.mul(a1, b1));
    const a2 = v128.load64_splat(a, isFloat<Layout>() ? 16 : 2 * PAIR_ROW);
    c20 = f64x2.add(c20, f64x2.mul(a2, b0));
    c21 = f64x2.add(c21, f64x2.mul(a2, b1));
    const a3 = v128.load64_splat(a, isFloat<Layout>() ? 24 : 3 * PAIR_ROW);
    c30 = f64x2.add(c30, f64x2.mul(a3, b0));
    c31 = f64x2.add(c31, f64x2.mul(a3, b1));
    a += step;
    b += 32;
  } while (b < end);
  if (add) {
    addTo(c, c00, c01);
    addTo(c + stride, c10, c11);
    addTo(c + 2 * stride, c20, c21);
    addTo(c + 3 * stride, c30, c31);
  } else {
    put(c, c00, c01);
    put(c + stride, c10, c11);
    put(c + 2 * stride, c20, c21);
    put(c + 3 * stride, c30, c31);
  }
}

/** `chunk` of a panel. */
function panelChunk(a: usize, b: usize, c: usize, depth: i32, stride: usize, add: bool): void {
  chunk<f64>(a, 32, b, c, depth, stride, add);
}

/** `chunk` of a panel as long as it is, into PRODUCT: for products that no order of summing changes. */
export function panelProduct(a: usize, b: usize, depth: i32, add: bool): void {
  chunk<f64>(a, 32, b, PRODUCT, depth, 32, add);
}

/** `chunk` of four rows of a tile of pairs, into SCRATCH. */
function rowsChunk(a: usize, b: usize, depth: i32, add: bool): void {
  chunk<i32>(a, 8, b, SCRATCH, depth, 32, add);
}

/** `chunk` of four columns of a tile of pairs, into SCRATCH. */
function columnsChunk(a: usize, b: usize, depth: i32, add: bool): void {
  chunk<f64>(a, PAIR_ROW, b, SCRATCH, depth, 32, add);
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
        const terms = min(CHUNK, depth - k);
        panelChunk(aPanel + skip, bPanel + skip, at, terms, rowBytes, accumulate || k > 0);
      }
    }
  }
}

/**
 * C [rows, columns] += A B for a tile of pairs A [rows, depth], or `turned`, A [depth, rows] of which
 * the transposed is meant. Each dot product is summed before it is added. B is packed; rows and columns
 * are rounded up to fours and C must have the room.
 */
export function addProduct(
  a: usize,
  turned: bool,
  b: usize,
  c: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  stride: i32,
): void {
  const panel = <usize>depth << 5;
  const rowBytes = <usize>stride << 3;
  for (let i = 0; i < rows; i += 4, c += rowBytes << 2) {
    const block = turned ? a + (<usize>i << 3) : a + <usize>i * PAIR_ROW;
    let bPanel = b;
    for (let j = 0; j < columns; j += 4, bPanel += panel) {
      for (let k = 0; k < depth; k += CHUNK) {
        const at = bPanel + (<usize>k << 5);
        const terms = min(CHUNK, depth - k);
        if (turned) columnsChunk(block + <usize>k * PAIR_ROW, at, terms, k > 0);
        else rowsChunk(block + (<usize>k << 3), at, terms, k > 0);
      }
      const to = c + (<usize>j << 3);
      addTo(to, v128.load(SCRATCH), v128.load(SCRATCH, 16));
      addTo(to + rowBytes, v128.load(SCRATCH, 32), v128.load(SCRATCH, 48));
      addTo(to + 2 * rowBytes, v128.load(SCRATCH, 64), v128.load(SCRATCH, 80));
      addTo(to + 3 * rowBytes, v128.load(SCRATCH, 96), v128.load(SCRATCH, 112));
    }
  }
}

/** Largest magnitude of each column of `source` [rows, width], all finite, into `to`; width is even. */
export function columnMaxima(source: usize, to: usize, rows: i32, width: i32): void {
  const end = to + (<usize>width << 3);
  for (let at = to; at < end; at += 16) v128.store(at, f64x2.splat(0));
  for (let r = 0; r < rows; r++) {
    for (let at = to; at < end; at += 16, source += 16) {
      v128.store(at, f64x2.pmax(v128.load(at), f64x2.abs(v128.load(source))));
    }
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
