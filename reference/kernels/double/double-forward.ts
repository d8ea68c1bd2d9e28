/**
 * The forward pass of a block of query rows in double-double, about the maxima of the float64 pass.
 *
 * spec (6)-(9), tile by tile of keys. Radii as in spec/bounds.md §9.
 * @module
 */

import { addNumber, type DoubleDouble, doubleDouble } from '../../numbers/double-double.ts';
import { entry, nth, nthIfAny } from '../../numbers/nth.ts';
import { besideFar, growth, logOfOneMinus, norm, SLACK } from '../float64/radius.ts';
import type { RowPart } from '../float64/row-blocks.ts';
import type { KernelModule, Tile } from '../module.ts';
import {
  eachSeeing,
  eights,
  fours,
  type KernelProblem,
  PAIR_STRIDE,
  readRows,
  type SeeingRows,
  TILE,
  tilesOf,
} from '../walk/problem.ts';
import type { DoubleProblem } from './double-features.ts';
import {
  ADDITION,
  doubleDenominatorError,
  doubleScoreBound,
  doubleWeightError,
  LOST,
  SLICED,
  STEP,
  slicedProduct,
} from './double-radius.ts';
import { addSliced, cut, lossless, type Pair, type Sliced, slicedSize } from './double-slices.ts';
import { type DoubleRows, kappaOf, put } from './double-sums.ts';

const pair = (high: Tile, low: Tile, skip = 0): Pair => ({
  high: high.at + skip * 8,
  low: low.at + skip * 8,
});

/** A tile's numbers, or pairs where they have low words. */
const words = (high: Tile, low: Tile | null): Pair => ({ high: high.at, low: low?.at ?? 0 });

/** Doubles of the constants that the tiles' functions read, and of the room that a row's exponentials take. */
export const CONSTANTS = 36 + 6 * TILE;

/** Lays out scale, softcap, κ and the coefficients of exp; assembly/double-tile.ts. */
export function writeConstants({ run }: KernelModule, problem: KernelProblem, tile: Tile): void {
  const { scale, softcap } = problem.parameters;
  const { one, zero, div, fromNumber } = doubleDouble;
  const inverse = softcap === 0 ? zero : div(one, fromNumber(softcap));
  const kappa = kappaOf(problem);
  tile.view.set([scale, softcap, inverse.hi, inverse.lo, kappa.hi, kappa.lo]);
  run.factorials(tile.at + 64);
}

function layOut(
  kernels: KernelModule,
  { width, valueWidth, parameters: p, low }: DoubleProblem,
  rows: number,
) {
  const pairs = TILE * PAIR_STRIDE;
  return kernels.layOut({
    q: TILE * width,
    k: TILE * width,
    v: TILE * valueWidth,
    kLow: low === null ? 0 : TILE * width,
    vLow: low === null ? 0 : TILE * valueWidth,
    qSlices: slicedSize(rows, p.head_dim),
    kSlices: slicedSize(TILE, p.head_dim),
    vSlices: slicedSize(valueWidth, TILE),
    some: TILE * valueWidth,
    someLow: low === null ? 0 : TILE * valueWidth,
    someSlices: slicedSize(valueWidth, TILE),
    wSlices: slicedSize(TILE, TILE),
    sHigh: pairs,
    sLow: pairs,
    outHigh: rows * valueWidth,
    outLow: rows * valueWidth,
    size: rows * valueWidth,
    state: rows * 4,
    maxima: valueWidth,
    squares: TILE,
    bias: pairs,
    keep: pairs,
    constants: CONSTANTS,
  });
}

type Tiles = ReturnType<typeof layOut>;

/** At most TILE rows of a head, and the columns of `out` that are wanted of them, rising; null = all. */
export interface DoublePart extends RowPart {
  readonly columns: readonly number[] | null;
  /** Weights in float64, of scores in double-double: for less time, with a wider radius. */
  readonly short: boolean;
}

/** A part of a block, and what it has seen: bounds over all its tiles of keys not wholly masked. */
interface RowTile extends DoublePart, SeeingRows {
  /** Place of the first row in the block, a multiple of four. */
  readonly start: number;
  readonly query: Sliced;
  /** ‖q‖ of each row. */
  readonly norms: readonly number[];
  tiles: number;
  keys: number;
  /** Largest ‖K_j‖ and |V_jc|. */
  key: number;
  value: number;
  failed: boolean;
  /** No product of q and k left anything out. */
  lossless: boolean;
}

/** A tile of keys and values in the kernels' memory, cut. */
interface KeyTile {
  readonly k: Sliced;
  /** Every column; null until a part wants all. */
  v: Sliced | null;
  /** Largest ‖K_j‖ and |V_jc|. */
  readonly key: number;
  readonly value: number;
}

function loadKeys(
  kernels: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  [b, g]: readonly [number, number],
  keys: readonly number[],
): KeyTile {
  const { run } = kernels;
  const { parameters: p, width, valueWidth, low } = problem;
  const n = keys.length;
  readRows(problem.k, b, g, keys, t.k.view, width);
  readRows(problem.v, b, g, keys, t.v.view, valueWidth);
  if (low !== null) {
    readRows(low.k, b, g, keys, t.kLow.view, width);
    readRows(low.v, b, g, keys, t.vLow.view, valueWidth);
  }
  const k = cut(
    kernels,
    words(t.k, low === null ? null : t.kLow),
    [width, 1],
    n,
    p.head_dim,
    t.kSlices.at,
  );
  run.columnMaxima(t.v.at, t.maxima.at, n, valueWidth);
  const key = norm(run.rowSquares(t.k.at, t.squares.at, n, width), width);
  return { k, v: null, key, value: t.maxima.view.reduce((top, x) => Math.max(top, x), 0) };
}

/** The wanted columns of the values of a tile of `n` keys, cut; some of them are laid side by side before. */
function cutValues(
  kernels: KernelModule,
  { valueWidth, low }: DoubleProblem,
  t: Tiles,
  columns: readonly number[] | null,
  n: number,
): Sliced {
  if (columns === null) {
    const all = words(t.v, low === null ? null : t.vLow);
    return cut(kernels, all, [1, valueWidth], valueWidth, n, t.vSlices.at);
  }
  const gather = (from: Float64Array, to: Float64Array): void => {
    columns.forEach((c, at) => {
      for (let j = 0; j < n; j++) to[at * n + j] = nth(from, j * valueWidth + c);
    });
  };
  gather(t.v.view, t.some.view);
  if (low !== null) gather(t.vLow.view, t.someLow.view);
  const some = words(t.some, low === null ? null : t.someLow);
  return cut(kernels, some, [n, 1], columns.length, n, t.someSlices.at);
}

/** One tile of `n` keys for one of rows. */
function absorb(
  kernels: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  tile: RowTile,
  loaded: KeyTile,
  n: number,
  biased: boolean,
): void {
  const { run } = kernels;
  const { pairs, valueWidth } = problem;
  const { start, query, rows } = tile;
  const { k, key, value } = loaded;
  const count = rows.length;
  const scores = pair(t.sHigh, t.sLow);
  for (const { view } of [t.sHigh, t.sLow]) view.fill(0, 0, fours(count) * PAIR_STRIDE);
  addSliced(kernels, query, k, [count, n, PAIR_STRIDE], scores);
  const state = t.state.at + start * 32;
  run.doubleSoftmax(
    t.sHigh.at,
    t.sLow.at,
    biased ? t.bias.at : 0,
    pairs.dropout ? t.keep.at : 0,
    count,
    eights(n),
    PAIR_STRIDE,
    state,
    t.constants.at,
    tile.short,
  );
  const w = cut(kernels, scores, [PAIR_STRIDE, 1], count, n, t.wSlices.at);
  const out = pair(t.outHigh, t.outLow, start * valueWidth);
  const { columns } = tile;
  let v = columns === null ? loaded.v : null;
  v ??= cutValues(kernels, problem, t, columns, n);
  if (columns === null) loaded.v = v;
  addSliced(kernels, w, v, [count, columns?.length ?? valueWidth, valueWidth], out);
  const size = t.size.at + start * valueWidth * 8;
  run.addOuter(size, state + 24, 4, t.maxima.at, count, valueWidth);
  tile.tiles++;
  tile.keys += n;
  tile.key = Math.max(tile.key, key);
  tile.value = Math.max(tile.value, value);
  tile.lossless &&= lossless(query, k);
  tile.failed ||= k.failed || v.failed || w.failed;
}

/** One tile of keys for every tile of rows that sees one of them. */
function absorbKeys(
  kernels: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  [b, g]: readonly [number, number],
  tiles: readonly RowTile[],
  keys: readonly number[],
): void {
  let loaded: KeyTile | null = null;
  eachSeeing(problem, t, b, tiles, keys, (tile, biased) => {
    loaded ??= loadKeys(kernels, problem, t, [b, g], keys);
    absorb(kernels, problem, t, tile, loaded, keys.length, biased);
  });
}

/** What a row's sums come to: its denominator l and 1/l, and what they and its weights are off by. */
interface RowSum {
  readonly l: DoubleDouble;
  readonly inverse: DoubleDouble;
  readonly weight: number;
  readonly denominator: number;
  /** Infinite where nothing is known of the row, else 0. */
  readonly known: number;
}

/** One row's output and radii. */
function finishOut(
  problem: DoubleProblem,
  t: Tiles,
  [head, seen, r]: readonly [number, RowTile, number],
  { l, inverse, weight, denominator, known }: RowSum,
  results: DoubleRows,
): void {
  const [row, at] = [seen.start + r, seen.at + r];
  const { parameters: p, valueWidth, kappaError, keyErrors } = problem;
  const { mul } = doubleDouble;
  const numerator = growth(weight) + SLICED + (seen.tiles + 2) * 4 * ADDITION;
  const lost = (seen.keys + 4) * LOST * (1 + seen.value) * SLACK;
  const kappa = kappaError === 0 ? null : kappaOf(problem);
  const { columns } = seen;
  if (columns !== null) {
    results.out.radius.fill(Number.POSITIVE_INFINITY, at * p.head_dim_v, (at + 1) * p.head_dim_v);
  }
  for (let n = 0; n < (columns?.length ?? p.head_dim_v); n++) {
    const c = columns?.[n] ?? n;
    const from = row * valueWidth + n;
    const sum = { hi: nth(t.outHigh.view, from), lo: nth(t.outLow.view, from) };
    const plain = mul(sum, inverse);
    const size = nth(t.size.view, row * valueWidth + c);
    const missing = (size * numerator + lost) * ((1 + denominator) / l.hi);
    const off = nthIfAny(keyErrors?.value, head * p.head_dim_v + c);
    const radius = missing + Math.abs(plain.hi) * (denominator + 4 * STEP) + LOST + off;
    const value = kappa === null ? plain : mul(plain, kappa);
    const factor = kappa === null ? 1 : kappa.hi * SLACK;
    const place = at * p.head_dim_v + c;
    put(results.out, place, value, radius * factor + Math.abs(value.hi) * 4 * STEP + known);
  }
}

/** One row's outputs and radii from its sums. */
function finishRow(
  problem: DoubleProblem,
  t: Tiles,
  head: number,
  seen: RowTile,
  r: number,
  ceiling: number,
  results: DoubleRows,
): void {
  const [row, at] = [seen.start + r, seen.at + r];
  const { parameters: p, keyErrors } = problem;
  const { div, log, one } = doubleDouble;
  if (seen.seeing[r] === 0 && problem.sink === null) {
    results.m[at] = Number.NEGATIVE_INFINITY;
    results.lse.high[at] = Number.NEGATIVE_INFINITY; // spec (9)
    return;
  }
  const given = nth(results.m, at);
  const m = Number.isFinite(given) ? given : Number.NaN;
  results.m[at] = m;
  const sliced = seen.lossless ? 0 : slicedProduct(p.head_dim);
  const setting = { scale: p.scale, softcap: p.softcap, headDim: p.head_dim };
  const [norm, keyNorm] = [entry(seen.norms, r), nthIfAny(keyErrors?.keyNorm, head)];
  const score = besideFar(
    doubleScoreBound(setting, sliced, norm, seen.key, keyNorm, seen.bias, ceiling),
    seen.seeing[r],
  );
  const weight = seen.failed ? Number.POSITIVE_INFINITY : doubleWeightError(score, seen.short);
  const denominator = doubleDenominatorError(weight, seen.keys);
  const l = { hi: nth(t.state.view, row * 4 + 1), lo: nth(t.state.view, row * 4 + 2) };
  // l is about 1 or more where m is the largest score, as the float64 pass should have found it.
  const known = l.hi >= 0.5 && !Number.isNaN(m) ? 0 : Number.POSITIVE_INFINITY;
  const logL = log(l);
  const lse = addNumber(logL, m);
  const spread = logOfOneMinus(denominator) + (Math.abs(logL.hi) + Math.abs(lse.hi) + 1) * STEP;
  put(results.lse, at, lse, spread + known);
  const inverse = div(one, l);
  results.inverse.high[at] = inverse.hi;
  results.inverse.low[at] = inverse.lo;
  results.inverse.radius[at] = (weight + logOfOneMinus(denominator) + 2 * STEP) * SLACK + known;
  results.tanhError[at] = score.tanhError;
  finishOut(problem, t, [head, seen, r], { l, inverse, weight, denominator, known }, results);
}

/** Cuts the queries of a part, and sets out its rows' states. */
function loadQueries(
  kernels: KernelModule,
  { parameters: p, q, width, sink }: DoubleProblem,
  t: Tiles,
  b: number,
  part: DoublePart,
  start: number,
  results: DoubleRows,
): RowTile {
  const { exp, sub, fromNumber } = doubleDouble;
  const { h, rows } = part;
  readRows(q, b, h, rows, t.q.view, width);
  const slices = t.qSlices.at + slicedSize(start, p.head_dim) * 8;
  const given = { high: t.q.at, low: 0 };
  const query = cut(kernels, given, [width, 1], rows.length, p.head_dim, slices);
  kernels.run.rowSquares(t.q.at, t.squares.at, rows.length, width);
  const norms = rows.map((_, r) => norm(nth(t.squares.view, r), width));
  rows.forEach((_, r) => {
    const m = nth(results.m, part.at + r);
    const own =
      sink === null ? { hi: 0, lo: 0 } : exp(sub(fromNumber(nth(sink, h)), fromNumber(m)));
    // An empty row computes something about 0, which finishRow leaves aside.
    t.state.view.set([Number.isFinite(m) ? m : 0, own.hi, own.lo], (start + r) * 4);
  });
  const seeing = new Uint8Array(rows.length);
  const nothing = { seeing, tiles: 0, keys: 0, key: 0, bias: 0, value: 0, lossless: true };
  return { ...part, start, query, norms, ...nothing, failed: query.failed };
}

/**
 * Forward of some rows of the heads that share KV head (b, g), over all keys, about the maxima in
 * `results`: each tile of keys is read and cut once for all of them. No bit of a row depends on the other
 * parts.
 */
export function doubleForward(
  kernels: KernelModule,
  problem: DoubleProblem,
  [b, g]: readonly [number, number],
  parts: readonly DoublePart[],
  results: DoubleRows,
): void {
  const { parameters: p, sink } = problem;
  const starts: number[] = [];
  let count = 0;
  for (const { rows } of parts) {
    starts.push(count);
    count += fours(rows.length);
  }
  const t = layOut(kernels, problem, count);
  writeConstants(kernels, problem, t.constants);
  const tiles = parts.map((part, n) =>
    loadQueries(kernels, problem, t, b, part, entry(starts, n), results),
  );
  const all = Array.from({ length: p.seq_kv }, (_, j) => j);
  for (const keys of tilesOf(all)) absorbKeys(kernels, problem, t, [b, g], tiles, keys);
  for (const tile of tiles) {
    const ceiling = sink === null ? 0 : Math.abs(nth(sink, tile.h));
    tile.rows.forEach((_, r) => {
      finishRow(problem, t, b * p.kv_heads + g, tile, r, ceiling, results);
    });
  }
}
