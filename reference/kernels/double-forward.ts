/**
 * The forward pass of one tile of query rows in double-double, about the maxima of the float64 pass.
 *
 * spec (6)-(9), tile by tile of keys. Radii as in spec/bounds.md §9.
 * @module
 */
import { addNumber, type DoubleDouble, doubleDouble } from '../arithmetic/double-double.ts';
import { kvHead } from '../scores.ts';
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
import { addSliced, cut, lossless, type Sliced, slicedSize } from './double-slices.ts';
import type { KernelModule, Tile } from './module.ts';
import { eights, type KernelProblem, PAIR_STRIDE, readRows, TILE, tilesOf } from './problem.ts';
import { finiteRadius, growth, logOfOneMinus, norm, SLACK } from './radius.ts';

/** Numbers high + low, each within its radius of the real number meant. */
export interface DoubleSums {
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly radius: Float64Array;
}

export const newDoubleSums = (length: number): DoubleSums => ({
  high: new Float64Array(length),
  low: new Float64Array(length),
  radius: new Float64Array(length),
});

export function put(
  { high, low, radius }: DoubleSums,
  at: number,
  x: DoubleDouble,
  r: number,
): void {
  high[at] = x.hi;
  low[at] = x.lo;
  radius[at] = finiteRadius(x.hi + x.lo, r);
}

/** Outputs of rows, [B, Hq, rows], and what the backward pass needs of them. */
export interface DoubleRows {
  /** [B, Hq, rows, dv] */
  readonly out: DoubleSums;
  readonly lse: DoubleSums;
  /** The number subtracted from each row's scores; −∞ for an empty row. */
  readonly m: Float64Array;
  /** 1/l; its radius is the log-domain error of exp(s − m)/l. */
  readonly inverse: DoubleSums;
  readonly tanhError: Float64Array;
}

/** Results of rows whose maxima the float64 pass found. */
export const newDoubleRows = (m: Float64Array, valueDim: number): DoubleRows => ({
  out: newDoubleSums(m.length * valueDim),
  lse: newDoubleSums(m.length),
  m,
  inverse: newDoubleSums(m.length),
  tanhError: new Float64Array(m.length),
});

const pair = (high: Tile, low: Tile) => ({ high: high.at, low: low.at });

/** κ of a kept pair, 1 without dropout. */
export function kappaOf({ kappaError, parameters }: KernelProblem): DoubleDouble {
  const { one, sub, div, fromNumber } = doubleDouble;
  return kappaError === 0 ? one : div(one, sub(one, fromNumber(parameters.dropout_rate)));
}

/** Doubles of the constants that the tiles' functions read. */
export const CONSTANTS = 36;

/** Lays out scale, softcap, κ and the coefficients of exp; assembly/double-tile.ts. */
export function writeConstants({ run }: KernelModule, problem: KernelProblem, tile: Tile): void {
  const { scale, softcap } = problem.parameters;
  const { one, zero, div, fromNumber } = doubleDouble;
  const inverse = softcap === 0 ? zero : div(one, fromNumber(softcap));
  const kappa = kappaOf(problem);
  tile.view.set([scale, softcap, inverse.hi, inverse.lo, kappa.hi, kappa.lo]);
  run.factorials(tile.at + 64);
}

function layOut(kernels: KernelModule, { width, valueWidth, parameters: p, low }: DoubleProblem) {
  const pairs = TILE * PAIR_STRIDE;
  return kernels.layOut({
    q: TILE * width,
    k: TILE * width,
    v: TILE * valueWidth,
    kLow: low === null ? 0 : TILE * width,
    vLow: low === null ? 0 : TILE * valueWidth,
    qSlices: slicedSize(TILE, p.head_dim),
    kSlices: slicedSize(TILE, p.head_dim),
    vSlices: slicedSize(valueWidth, TILE),
    wSlices: slicedSize(TILE, TILE),
    sHigh: pairs,
    sLow: pairs,
    exact: Math.max(pairs, TILE * valueWidth),
    outHigh: TILE * valueWidth,
    outLow: TILE * valueWidth,
    size: TILE * valueWidth,
    state: TILE * 4,
    maxima: valueWidth,
    squares: TILE,
    bias: pairs,
    keep: pairs,
    constants: CONSTANTS,
  });
}

type Tiles = ReturnType<typeof layOut>;

/** What was seen of the keys. */
interface Seen {
  tiles: number;
  keys: number;
  key: number;
  bias: number;
  value: number;
  failed: boolean;
  /** No product of q and k left anything out. */
  lossless: boolean;
}

/** One tile of keys. */
function absorb(
  kernels: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  at: readonly [number, number],
  rows: readonly number[],
  query: Sliced,
  keys: readonly number[],
  seen: Seen,
): void {
  const { run } = kernels;
  const { parameters: p, pairs, width, valueWidth } = problem;
  const n = keys.length;
  const biased = !pairs.plain || eights(n) !== n;
  if (biased) {
    const largest = pairs.scores(t.bias.view, at, rows, keys, PAIR_STRIDE);
    if (largest < 0) return;
    seen.bias = Math.max(seen.bias, largest);
  }
  if (pairs.dropout) pairs.kept(t.keep.view, at, rows, keys, PAIR_STRIDE);
  const g = kvHead(p, at[1]);
  readRows(problem.k, at[0], g, keys, t.k.view, width);
  readRows(problem.v, at[0], g, keys, t.v.view, valueWidth);
  const { low } = problem;
  if (low !== null) {
    readRows(low.k, at[0], g, keys, t.kLow.view, width);
    readRows(low.v, at[0], g, keys, t.vLow.view, valueWidth);
  }
  const words = (high: Tile, rest: Tile) => ({ high: high.at, low: low === null ? 0 : rest.at });
  const k = cut(kernels, words(t.k, t.kLow), [width, 1], n, p.head_dim, t.kSlices.at);
  const v = cut(kernels, words(t.v, t.vLow), [1, valueWidth], valueWidth, n, t.vSlices.at);
  t.sHigh.view.fill(0);
  t.sLow.view.fill(0);
  const scores = pair(t.sHigh, t.sLow);
  addSliced(kernels, query, k, [rows.length, n, PAIR_STRIDE], t.exact, scores);
  run.doubleSoftmax(
    t.sHigh.at,
    t.sLow.at,
    biased ? t.bias.at : 0,
    pairs.dropout ? t.keep.at : 0,
    rows.length,
    eights(n),
    PAIR_STRIDE,
    t.state.at,
    t.constants.at,
  );
  const w = cut(kernels, scores, [PAIR_STRIDE, 1], rows.length, n, t.wSlices.at);
  const out = pair(t.outHigh, t.outLow);
  addSliced(kernels, w, v, [rows.length, valueWidth, valueWidth], t.exact, out);
  run.columnMaxima(t.v.at, t.maxima.at, n, valueWidth);
  run.addOuter(t.size.at, t.state.at + 24, 4, t.maxima.at, rows.length, valueWidth);
  seen.tiles++;
  seen.keys += n;
  seen.key = Math.max(seen.key, norm(run.rowSquares(t.k.at, t.squares.at, n, width), width));
  seen.value = t.maxima.view.reduce((top, x) => Math.max(top, x), seen.value);
  seen.lossless &&= lossless(query, k);
  seen.failed ||= k.failed || v.failed || w.failed;
}

/** One row's outputs and radii from its sums. */
function finishRow(
  problem: DoubleProblem,
  t: Tiles,
  head: number,
  row: number,
  query: number,
  ceiling: number,
  seen: Seen,
  results: DoubleRows,
  at: number,
): void {
  const { parameters: p, valueWidth, kappaError, keyErrors } = problem;
  const { div, mul, log, one } = doubleDouble;
  const m = results.m[at] ?? 0;
  if (m === Number.NEGATIVE_INFINITY) {
    results.lse.high[at] = m; // spec (9)
    return;
  }
  const sliced = seen.lossless ? 0 : slicedProduct(p.head_dim);
  const setting = { scale: p.scale, softcap: p.softcap, headDim: p.head_dim };
  const score = doubleScoreBound(
    setting,
    sliced,
    query,
    seen.key,
    keyErrors?.keyNorm[head] ?? 0,
    seen.bias,
    ceiling,
  );
  const weight = seen.failed ? Number.POSITIVE_INFINITY : doubleWeightError(score);
  const denominator = doubleDenominatorError(weight, seen.keys);
  const l = { hi: t.state.view[row * 4 + 1] ?? 0, lo: t.state.view[row * 4 + 2] ?? 0 };
  // l is about 1 or more where m is the largest score, as the float64 pass should have found it.
  const known = Number.isFinite(m) && l.hi >= 0.5 ? 0 : Number.POSITIVE_INFINITY;
  const logL = log(l);
  const lse = addNumber(logL, m);
  const spread = logOfOneMinus(denominator) + (Math.abs(logL.hi) + Math.abs(lse.hi) + 1) * STEP;
  put(results.lse, at, lse, spread + known);
  const inverse = div(one, l);
  results.inverse.high[at] = inverse.hi;
  results.inverse.low[at] = inverse.lo;
  results.inverse.radius[at] = (weight + logOfOneMinus(denominator) + 2 * STEP) * SLACK + known;
  results.tanhError[at] = score.tanhError;
  const numerator = growth(weight) + SLICED + (seen.tiles + 2) * 4 * ADDITION;
  const lost = (seen.keys + 4) * LOST * (1 + seen.value) * SLACK;
  const kappa = kappaError === 0 ? null : kappaOf(problem);
  for (let c = 0; c < p.head_dim_v; c++) {
    const from = row * valueWidth + c;
    const sum = { hi: t.outHigh.view[from] ?? 0, lo: t.outLow.view[from] ?? 0 };
    const plain = mul(sum, inverse);
    const missing = ((t.size.view[from] ?? 0) * numerator + lost) * ((1 + denominator) / l.hi);
    const off = keyErrors?.value[head * p.head_dim_v + c] ?? 0;
    const radius = missing + Math.abs(plain.hi) * (denominator + 4 * STEP) + LOST + off;
    const value = kappa === null ? plain : mul(plain, kappa);
    const factor = kappa === null ? 1 : kappa.hi * SLACK;
    const place = at * p.head_dim_v + c;
    put(results.out, place, value, radius * factor + Math.abs(value.hi) * 4 * STEP + known);
  }
}

/** Forward of at most TILE rows of (b, h) over all keys, into results[at…]. */
export function doubleForward(
  kernels: KernelModule,
  problem: DoubleProblem,
  [b, h]: readonly [number, number],
  rows: readonly number[],
  results: DoubleRows,
  at: number,
): void {
  const { parameters: p, width, sink } = problem;
  const { exp, sub, fromNumber } = doubleDouble;
  const t = layOut(kernels, problem);
  writeConstants(kernels, problem, t.constants);
  readRows(problem.q, b, h, rows, t.q.view, width);
  const q = { high: t.q.at, low: 0 };
  const query = cut(kernels, q, [width, 1], rows.length, p.head_dim, t.qSlices.at);
  const logit = sink?.[h] ?? 0;
  rows.forEach((_, r) => {
    const m = results.m[at + r] ?? 0;
    const own = sink === null ? { hi: 0, lo: 0 } : exp(sub(fromNumber(logit), fromNumber(m)));
    // An empty row computes something about 0, which finishRow leaves aside.
    t.state.view.set([Number.isFinite(m) ? m : 0, own.hi, own.lo], r * 4);
  });
  const seen: Seen = {
    tiles: 0,
    keys: 0,
    key: 0,
    bias: 0,
    value: 0,
    failed: query.failed,
    lossless: true,
  };
  const all = Array.from({ length: p.seq_kv }, (_, j) => j);
  for (const keys of tilesOf(all)) absorb(kernels, problem, t, [b, h], rows, query, keys, seen);
  kernels.run.rowSquares(t.q.at, t.squares.at, rows.length, width);
  const ceiling = sink === null ? 0 : Math.abs(logit);
  rows.forEach((_, r) => {
    const size = norm(t.squares.view[r] ?? 0, width);
    finishRow(problem, t, b * p.kv_heads + kvHead(p, h), r, size, ceiling, seen, results, at + r);
  });
}
