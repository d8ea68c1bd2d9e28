/**
 * The certified backward pass of one KV head over a range of keys: fused, tile by tile, in float64.
 *
 * spec (10)-(16): P is recomputed from each row's m and 1/l. dK and dV of the range are whole when
 * the rows are; dQ gains the range's share. Radii as in spec/bounds.md, "The kernels' radii".
 * @module
 */

import { nth } from '../../numbers/nth.ts';
import type { KernelModule } from '../module.ts';
import {
  eights,
  type KernelProblem,
  PAIR_STRIDE,
  readRows,
  TILE,
  tilesOf,
} from '../walk/problem.ts';
import type { RangeWork } from './backward-work.ts';
import { dotDepth, growth, norm, SLACK, TINY, U } from './radius.ts';
import { RANGE, type Tiles } from './range-tiles.ts';
import { isEmptyRow } from './row-blocks.ts';

/** Largest magnitudes met, for what underflow may lose. */
interface Largest {
  /** κ‖dO‖‖V‖ + |dLSE − D| */
  gradient: number;
  query: number;
  dOut: number;
  key: number;
}

/** Roundings that a term of dQ, dK or dV may see in its sum, beyond its own. */
function sumDepth({ parameters: p }: KernelProblem, rows: number, keyCount: number): number {
  const group = p.heads / p.kv_heads;
  // A range's share of dQ is summed by itself.
  const ofRange = Math.ceil(Math.min(keyCount, RANGE) / TILE);
  const tiles = Math.max(Math.ceil(rows / TILE) * group, ofRange + Math.ceil(keyCount / RANGE));
  return dotDepth(TILE) + tiles + 2;
}

/** Lemma Gradient: what the tile needs to know of each row. Returns the largest κ‖dO‖‖V‖ + |δ|. */
function rowFacts(
  kernels: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  work: RangeWork,
  first: number,
  count: number,
  valueNorm: number,
): number {
  const { parameters: p, kappa, kappaError, keyErrors, valueWidth } = problem;
  const { results, deltas, b, g } = work;
  const valueError = keyErrors === null ? 0 : nth(keyErrors.valueNorm, b * p.kv_heads + g);
  const kept = kappaError > 0 ? 1 : 0;
  const depth = sumDepth(problem, work.rows.length, work.keyCount) * U * SLACK;
  kernels.run.rowSquares(t.do.at, t.squares.at, count, valueWidth);
  let largest = 0;
  for (let r = 0; r < count; r++) {
    const at = first + r;
    const m = nth(results.m, at);
    const [delta, deltaError] = [nth(deltas.value, at), nth(deltas.error, at)];
    if (isEmptyRow(m)) {
      t.facts.view.fill(0, r * 8, r * 8 + 8); // spec (9): 1/l = 0 makes P = 0
      continue;
    }
    const dOut = norm(nth(t.squares.view, r), valueWidth);
    const log = results.probability[at] ?? Number.POSITIVE_INFINITY;
    const tanhError = nth(results.tanhError, at);
    const slope = p.softcap === 0 ? 0 : tanhError * (2 + tanhError) + 3 * U;
    const size = kappa * dOut * (valueNorm + valueError) * SLACK;
    const dPError = size * (dotDepth(p.head_dim_v) + 6 * kept) * U + kappa * dOut * valueError;
    const probability = growth(log);
    const lost = (p.head_dim_v + 2) * kappa * TINY;
    const relative = (probability + slope + 4 * U + depth) * SLACK;
    const absolute =
      (dPError + lost + deltaError + U * Math.abs(delta)) * (1 + probability) * SLACK;
    const weight = (growth(log + kappaError + kept * U) + depth) * SLACK;
    t.facts.view.set([m, nth(results.inverse, at), delta, relative, absolute, weight], r * 8);
    largest = Math.max(largest, size + Math.abs(delta));
  }
  return largest;
}

/** Rows, columns and maxima of one tile of queries. */
function loadQueries(
  { run }: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  at: readonly [number, number],
  rows: readonly number[],
): void {
  const { parameters: p, width, valueWidth, q, dOut } = problem;
  const n = rows.length;
  readRows(q, ...at, rows, t.q.view, width);
  if (dOut !== null) readRows(dOut, ...at, rows, t.do.view, valueWidth);
  run.packRows(t.q.at, t.qRows.at, n, p.head_dim, width);
  run.packColumns(t.q.at, t.qColumns.at, n, width, width);
  run.packRows(t.do.at, t.doRows.at, n, p.head_dim_v, valueWidth);
  run.packColumns(t.do.at, t.doColumns.at, n, valueWidth, valueWidth);
  run.columnMaxima(t.q.at, t.qMaxima.at, n, width);
  run.columnMaxima(t.do.at, t.doMaxima.at, n, valueWidth);
}

/** Where one tile of keys lies in the range. */
interface KeyTile {
  readonly keys: readonly number[];
  /** Position of its first key in the range. */
  readonly start: number;
  /** Where its largest magnitudes are, byte address; and the largest of all. */
  readonly maxima: number;
  readonly largest: number;
}

/** The keys and values of a range, read and packed. */
interface LoadedRange {
  readonly tiles: readonly KeyTile[];
  /** Largest ‖V_j‖. */
  readonly valueNorm: number;
}

function loadRange(
  { run }: KernelModule,
  { parameters: p, k, v, width, valueWidth }: KernelProblem,
  t: Tiles,
  { b, g, keys: range }: RangeWork,
): LoadedRange {
  let squares = 0;
  const tiles = tilesOf(range).map((keys, tile): KeyTile => {
    const start = tile * TILE;
    const [byKey, byValue] = [start * width * 8, start * valueWidth * 8];
    const n = keys.length;
    const maxima = t.kMaxima.at + tile * width * 8;
    readRows(k, b, g, keys, t.k.view, width);
    readRows(v, b, g, keys, t.v.view, valueWidth);
    run.packRows(t.k.at, t.kRows.at + byKey, n, p.head_dim, width);
    run.packColumns(t.k.at, t.kColumns.at + byKey, n, width, width);
    run.packRows(t.v.at, t.vRows.at + byValue, n, p.head_dim_v, valueWidth);
    run.columnMaxima(t.k.at, maxima, n, width);
    squares = Math.max(squares, run.rowSquares(t.v.at, t.squares.at, n, valueWidth));
    const largest = peak(t.kMaxima.view.subarray(tile * width, (tile + 1) * width));
    return { keys, start, maxima, largest };
  });
  return { tiles, valueNorm: norm(squares, valueWidth) };
}

/** Scores, dP and dS of one tile; false where no key of it is seen. */
function tileGradients(
  { run }: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  at: readonly [number, number],
  rows: readonly number[],
  { keys, start }: KeyTile,
  wantsScores: boolean,
): boolean {
  const { parameters: p, pairs, width, valueWidth, kappa } = problem;
  const n = keys.length;
  const columns = eights(n);
  const biased = !pairs.plain || columns !== n || wantsScores;
  if (biased && pairs.scores(t.bias.view, at, rows, keys, PAIR_STRIDE) < 0) return false;
  if (pairs.dropout) pairs.kept(t.keep.view, at, rows, keys, PAIR_STRIDE);
  const [k, v] = [t.kRows.at + start * width * 8, t.vRows.at + start * valueWidth * 8];
  run.multiply(t.qRows.at, k, t.s.at, rows.length, n, p.head_dim, PAIR_STRIDE, false);
  run.multiply(t.doRows.at, v, t.dp.at, rows.length, n, p.head_dim_v, PAIR_STRIDE, false);
  run.gradientTile(
    t.s.at,
    t.dp.at,
    biased ? t.bias.at : 0,
    pairs.dropout ? t.keep.at : 0,
    wantsScores ? t.error.at : 0,
    rows.length,
    columns,
    PAIR_STRIDE,
    p.scale,
    p.softcap,
    kappa,
    t.facts.at,
    t.byRow.at,
    t.byColumn.at,
    t.slope.at,
  );
  return true;
}

/** dQ of the row tile gains dRaw·K. spec (15) */
function addQueries(
  { run }: KernelModule,
  { width }: KernelProblem,
  t: Tiles,
  rows: number,
  { keys: { length: n }, start, maxima }: KeyTile,
): void {
  const k = t.kColumns.at + start * width * 8;
  run.addProduct(t.dp.at, false, k, t.dq.at, rows, width, n, width);
  run.addOuter(t.dqError.at, t.byRow.at, 2, maxima, rows, width);
}

/** dK and dV of the key tile gain dRawᵀ·Q and (κP)ᵀ·dO. spec (16), (10) */
function addKeys(
  { run }: KernelModule,
  { width, valueWidth }: KernelProblem,
  t: Tiles,
  rows: number,
  { keys: { length: n }, start }: KeyTile,
): void {
  const columns = eights(n);
  const [k, v] = [start * width * 8, start * valueWidth * 8];
  run.addProduct(t.dp.at, true, t.qColumns.at, t.dk.at + k, n, width, rows, width);
  run.addOuter(t.dkError.at + k, t.byColumn.at, 1, t.qMaxima.at, n, width);
  run.addProduct(t.s.at, true, t.doColumns.at, t.dv.at + v, n, valueWidth, rows, valueWidth);
  run.addOuter(t.dvError.at + v, t.byColumn.at + columns * 8, 1, t.doMaxima.at, n, valueWidth);
}

/** Adds the tile's dQ, times scale, and its error to the whole. */
function flushQueries(
  { parameters: p, keyErrors, width }: KernelProblem,
  t: Tiles,
  work: RangeWork,
  first: number,
  sizes: Float64Array,
  lost: number,
): void {
  const { dQ, b, g } = work;
  if (dQ === null) return;
  const factor = Math.abs(p.scale);
  const d = p.head_dim;
  for (let r = 0; r < sizes.length; r++) {
    for (let c = 0; c < d; c++) {
      const to = (first + r) * d + c;
      const keyError = keyErrors === null ? 0 : nth(keyErrors.key, (b * p.kv_heads + g) * d + c);
      const share = p.scale * nth(t.dq.view, r * width + c);
      const error = nth(t.dqError.view, r * width + c) + keyError * nth(sizes, r);
      const sum = nth(dQ.value, to) + share;
      dQ.value[to] = sum;
      // The sum over ranges is in sumDepth; the product with scale rounds here.
      dQ.error[to] =
        nth(dQ.error, to) + factor * error + (Math.abs(share) + Math.abs(sum)) * U + lost;
    }
  }
}

/** Copies rows of `width` numbers out, d of each. */
function copyRows(from: Float64Array, to: Float64Array, rows: number, width: number, d: number) {
  if (d === width) to.set(from.subarray(0, rows * d));
  else for (let n = 0; n < rows; n++) to.set(from.subarray(n * width, n * width + d), n * d);
}

/** Copies dK and dV of the range out, times scale. */
function finishKeys(
  { run }: KernelModule,
  { parameters: p, width, valueWidth, kappa }: KernelProblem,
  t: Tiles,
  { rows, keys: { length: keys }, dK, dV, final }: RangeWork,
  largest: Largest,
): void {
  const terms = rows.length * (p.heads / p.kv_heads) + 4;
  const factor = Math.abs(p.scale);
  const lostK = terms * 8 * TINY * (1 + factor) * (largest.gradient + 2) * (1 + largest.query);
  const lostV = terms * 8 * TINY * (1 + kappa) * (1 + largest.dOut);
  if (dK !== null) {
    run.finishSums(t.dk.at, t.dkError.at, keys * width, p.scale, factor, lostK, final);
    copyRows(t.dk.view, dK.value, keys, width, p.head_dim);
    copyRows(t.dkError.view, dK.error, keys, width, p.head_dim);
  }
  if (dV !== null) {
    run.finishSums(t.dv.at, t.dvError.at, keys * valueWidth, 1, 1, lostV, final);
    copyRows(t.dv.view, dV.value, keys, valueWidth, p.head_dim_v);
    copyRows(t.dvError.view, dV.error, keys, valueWidth, p.head_dim_v);
  }
}

const peak = (values: Float64Array): number => values.reduce((top, x) => Math.max(top, x), 0);

/** One tile of queries of head h against every key of the range. */
function backwardQueries(
  kernels: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  work: RangeWork,
  { tiles, valueNorm }: LoadedRange,
  h: number,
  rows: readonly number[],
  first: number,
  largest: Largest,
): void {
  const { parameters: p } = problem;
  const at = [work.b, h] as const;
  loadQueries(kernels, problem, t, at, rows);
  const gradient = rowFacts(kernels, problem, t, work, first, rows.length, valueNorm);
  largest.gradient = Math.max(largest.gradient, gradient);
  largest.query = Math.max(largest.query, peak(t.qMaxima.view));
  largest.dOut = Math.max(largest.dOut, peak(t.doMaxima.view));
  t.dq.view.fill(0);
  t.dqError.view.fill(0);
  const sizes = new Float64Array(rows.length);
  for (const tile of tiles) {
    const { keys } = tile;
    if (!tileGradients(kernels, problem, t, at, rows, tile, work.onScores !== null)) continue;
    work.onScores?.(at, rows, keys, t.bias.view, t.error.view, 8 * TINY * (gradient + 2));
    largest.key = Math.max(largest.key, tile.largest);
    sizes.forEach((size, r) => {
      sizes[r] = size + nth(t.byRow.view, 2 * r) + nth(t.byRow.view, 2 * r + 1);
    });
    if (work.dQ !== null) addQueries(kernels, problem, t, rows.length, tile);
    if (work.dK !== null || work.dV !== null) addKeys(kernels, problem, t, rows.length, tile);
  }
  const terms = work.keys.length + 4;
  const lost = terms * 8 * TINY * (1 + Math.abs(p.scale)) * (gradient + 2) * (1 + largest.key);
  flushQueries(problem, t, work, first, sizes, lost);
}

/** The backward pass of KV head (b, g) over one range of keys and the given rows, in the tiles of `rangeTiles`. */
export function backwardRange(
  kernels: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  work: RangeWork,
): void {
  const { parameters: p } = problem;
  for (const { view } of [t.dk, t.dv, t.dkError, t.dvError]) view.fill(0);
  const range = loadRange(kernels, problem, t, work);
  const largest: Largest = { gradient: 0, query: 0, dOut: 0, key: 0 };
  const group = p.heads / p.kv_heads;
  for (let h = work.g * group; h < (work.g + 1) * group; h++) {
    let first = (work.b * p.heads + h) * work.rows.length;
    for (const rows of tilesOf(work.rows)) {
      backwardQueries(kernels, problem, t, work, range, h, rows, first, largest);
      first += rows.length;
    }
  }
  finishKeys(kernels, problem, t, work, largest);
}
