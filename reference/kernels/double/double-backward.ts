/**
 * The backward pass of one KV head over a range of keys in double-double.
 *
 * spec (10)-(16), in the order of backward.ts. Radii as in spec/bounds.md §9.
 * @module
 */

import { entry, nth, nthIfAny } from '../../numbers/nth.ts';
import { growth, norm, SLACK } from '../float64/radius.ts';
import { isEmptyRow } from '../float64/row-blocks.ts';
import type { KernelModule, Tile } from '../module.ts';
import { eights, PAIR_STRIDE, readRows, TILE, tilesOf } from '../walk/problem.ts';
import type { DoubleProblem } from './double-features.ts';
import { CONSTANTS, writeConstants } from './double-forward.ts';
import { ADDITION, LOST, SLICED, STEP, slicedProduct } from './double-radius.ts';
import { addSliced, cut, lossless, type Pair, type Sliced, slicedSize } from './double-slices.ts';
import { type DoubleSums, kappaOf } from './double-sums.ts';
import type { DoubleWork } from './double-work.ts';

/** Keys whose slices and sums are in the kernels' memory at a time. */
export const DOUBLE_RANGE = 4 * TILE;

function layOut(kernels: KernelModule, problem: DoubleProblem, keys: number, scored: boolean) {
  const { width, valueWidth, parameters: p } = problem;
  const range = Math.ceil(keys / TILE);
  const pairs = TILE * PAIR_STRIDE;
  return kernels.layOut({
    k: TILE * width,
    v: TILE * valueWidth,
    kLow: problem.low === null ? 0 : TILE * width,
    vLow: problem.low === null ? 0 : TILE * valueWidth,
    kErrors: width,
    q: TILE * width,
    do: TILE * valueWidth,
    kRows: range * slicedSize(TILE, p.head_dim),
    vRows: range * slicedSize(TILE, p.head_dim_v),
    kColumns: range * slicedSize(width, TILE),
    qRows: slicedSize(TILE, p.head_dim),
    doRows: slicedSize(TILE, p.head_dim_v),
    qColumns: slicedSize(width, TILE),
    doColumns: slicedSize(valueWidth, TILE),
    pairSlices: slicedSize(TILE, TILE),
    sHigh: pairs,
    sLow: pairs,
    dpHigh: pairs,
    dpLow: pairs,
    dqHigh: TILE * width,
    dqLow: TILE * width,
    dqError: TILE * width,
    dkHigh: range * TILE * width,
    dkLow: range * TILE * width,
    dkError: range * TILE * width,
    dvHigh: range * TILE * valueWidth,
    dvLow: range * TILE * valueWidth,
    dvError: range * TILE * valueWidth,
    bias: pairs,
    keep: pairs,
    facts: TILE * 8,
    byRow: TILE * 2,
    byColumn: TILE * 2,
    slope: TILE * 2,
    scoreHigh: scored ? pairs : 0,
    scoreLow: scored ? pairs : 0,
    scoreError: scored ? pairs : 0,
    squares: TILE,
    qMaxima: width,
    doMaxima: valueWidth,
    kMaxima: range * width,
    constants: CONSTANTS,
  });
}

type Tiles = ReturnType<typeof layOut>;

const pair = (high: Tile, low: Tile, skip = 0): Pair => ({
  high: high.at + skip * 8,
  low: low.at + skip * 8,
});
const given = (tile: Tile): Pair => ({ high: tile.at, low: 0 });

interface KeyTile {
  readonly keys: readonly number[];
  readonly start: number;
  readonly kRows: Sliced;
  readonly vRows: Sliced;
  readonly kColumns: Sliced;
  readonly maxima: number;
}

/** Largest magnitudes met, and whether the slices held everything. */
interface Met {
  value: number;
  key: number;
  query: number;
  dOut: number;
  gradient: number;
  failed: boolean;
}

const peak = (values: Float64Array, least: number): number =>
  values.reduce((top, x) => Math.max(top, x), least);

function loadRange(
  kernels: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  { b, g, keys: range }: DoubleWork,
  met: Met,
): KeyTile[] {
  const { run } = kernels;
  const { width, valueWidth, parameters: p, low, keyErrors } = problem;
  const head = b * p.kv_heads + g;
  const valueError = nthIfAny(keyErrors?.valueNorm, head);
  const components = keyErrors?.key.subarray(head * p.head_dim, (head + 1) * p.head_dim);
  if (components !== undefined) t.kErrors.view.set(components);
  return tilesOf(range).map((keys, n) => {
    readRows(problem.k, b, g, keys, t.k.view, width);
    readRows(problem.v, b, g, keys, t.v.view, valueWidth);
    if (low !== null) {
      readRows(low.k, b, g, keys, t.kLow.view, width);
      readRows(low.v, b, g, keys, t.vLow.view, valueWidth);
    }
    const k = low === null ? given(t.k) : pair(t.k, t.kLow);
    const v = low === null ? given(t.v) : pair(t.v, t.vLow);
    const place = (tile: Tile, size: number): number => tile.at + n * size * 8;
    const rows = place(t.kRows, slicedSize(TILE, p.head_dim));
    const values = place(t.vRows, slicedSize(TILE, p.head_dim_v));
    const columns = place(t.kColumns, slicedSize(width, TILE));
    const kRows = cut(kernels, k, [width, 1], keys.length, p.head_dim, rows);
    const vRows = cut(kernels, v, [valueWidth, 1], keys.length, p.head_dim_v, values);
    const kColumns = cut(kernels, k, [1, width], width, keys.length, columns);
    const maxima = place(t.kMaxima, width);
    run.columnMaxima(t.k.at, maxima, keys.length, width);
    const squares = run.rowSquares(t.v.at, t.squares.at, keys.length, valueWidth);
    met.value = Math.max(met.value, (norm(squares, valueWidth) + valueError) * SLACK);
    met.key = peak(t.kMaxima.view, met.key);
    met.failed ||= kRows.failed || vRows.failed || kColumns.failed;
    return { keys, start: n * TILE, kRows, vRows, kColumns, maxima };
  });
}

/**
 * What the tile needs to know of each row; lemma Gradient. `rowTiles`: those of the KV head's
 * rows; `exact`: the products dO·V are lossless.
 */
function rowFacts(
  { run }: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  { b, g, results, deltas, keyCount }: DoubleWork,
  first: number,
  count: number,
  rowTiles: number,
  exact: boolean,
  met: Met,
): void {
  const { parameters: p, valueWidth, keyErrors } = problem;
  const valueError = nthIfAny(keyErrors?.valueNorm, b * p.kv_heads + g);
  const kappa = kappaOf(problem).hi * SLACK;
  const tiles = Math.max(rowTiles, Math.ceil(keyCount / TILE)) + 4;
  const sums = SLICED + tiles * 4 * ADDITION;
  run.rowSquares(t.do.at, t.squares.at, count, valueWidth);
  for (let r = 0; r < count; r++) {
    const at = first + r;
    const m = nth(results.m, at);
    const delta = { hi: nth(deltas.high, at), lo: nth(deltas.low, at) };
    if (isEmptyRow(m)) {
      t.facts.view.fill(0, r * 8, r * 8 + 8); // spec (9): 1/l = 0 makes P = 0
      continue;
    }
    const dOut = kappa * norm(nth(t.squares.view, r), valueWidth) * SLACK;
    const size = dOut * met.value * SLACK;
    const log = results.inverse.radius[at] ?? Number.POSITIVE_INFINITY;
    const tanhError = nth(results.tanhError, at);
    const slope = p.softcap === 0 ? 0 : tanhError * (2 + tanhError) + 4 * STEP;
    const probability = growth(log);
    const relative = (probability + slope + 8 * STEP + sums) * SLACK;
    const sliced = exact ? 0 : slicedProduct(p.head_dim_v);
    const own = size * (sliced + 4 * STEP) + (1 + size) * LOST + dOut * valueError;
    const rest = nth(deltas.radius, at) + 4 * STEP * Math.abs(delta.hi);
    const absolute = (own + rest) * (1 + probability) * SLACK;
    const weight = (growth(log + 4 * STEP) + sums) * SLACK;
    const inverse = [nth(results.inverse.high, at), nth(results.inverse.low, at)];
    const errors = [relative, absolute, weight];
    t.facts.view.set([m, ...inverse, delta.hi, delta.lo, ...errors], r * 8);
    met.gradient = Math.max(met.gradient, size + Math.abs(delta.hi));
  }
}

interface Queries {
  readonly count: number;
  readonly qRows: Sliced;
  readonly doRows: Sliced;
  readonly qColumns: Sliced;
  readonly doColumns: Sliced;
}

function loadQueries(
  kernels: KernelModule,
  problem: DoubleProblem,
  t: Tiles,
  at: readonly [number, number],
  rows: readonly number[],
  met: Met,
): Queries {
  const { run } = kernels;
  const { parameters: p, width, valueWidth, q, dOut } = problem;
  const n = rows.length;
  readRows(q, ...at, rows, t.q.view, width);
  if (dOut !== null) readRows(dOut, ...at, rows, t.do.view, valueWidth);
  run.columnMaxima(t.q.at, t.qMaxima.at, n, width);
  run.columnMaxima(t.do.at, t.doMaxima.at, n, valueWidth);
  met.query = peak(t.qMaxima.view, met.query);
  met.dOut = peak(t.doMaxima.view, met.dOut);
  const queries = {
    count: n,
    qRows: cut(kernels, given(t.q), [width, 1], n, p.head_dim, t.qRows.at),
    doRows: cut(kernels, given(t.do), [valueWidth, 1], n, p.head_dim_v, t.doRows.at),
    qColumns: cut(kernels, given(t.q), [1, width], width, n, t.qColumns.at),
    doColumns: cut(kernels, given(t.do), [1, valueWidth], valueWidth, n, t.doColumns.at),
  };
  const { qRows, doRows, qColumns, doColumns } = queries;
  met.failed ||= qRows.failed || doRows.failed || qColumns.failed || doColumns.failed;
  return queries;
}

/** What recomputed keys are off by, times the row's sums of |dS| and of its error. */
function addKeyErrors({ run }: KernelModule, t: Tiles, rows: number, width: number): void {
  for (const sums of [t.byRow.at, t.byRow.at + 8]) {
    run.addOuter(t.dqError.at, sums, 2, t.kErrors.at, rows, width);
  }
}

/** A backward pass under way: its memory, what it is asked for, and what it has met. */
interface Pass {
  readonly kernels: KernelModule;
  readonly problem: DoubleProblem;
  readonly t: Tiles;
  readonly work: DoubleWork;
  readonly met: Met;
}

/** P and dS of one tile; null where no row sees a key of it. */
function tileScores(
  { kernels, problem, t, work }: Pass,
  at: readonly [number, number],
  rows: readonly number[],
  q: Queries,
  tile: KeyTile,
): { readonly s: Pair; readonly dp: Pair } | null {
  const { pairs } = problem;
  const n = tile.keys.length;
  const columns = eights(n);
  const biased = !pairs.plain || columns !== n;
  if (biased && pairs.scores(t.bias.view, at, rows, tile.keys, PAIR_STRIDE) < 0) return null;
  if (pairs.dropout) pairs.kept(t.keep.view, at, rows, tile.keys, PAIR_STRIDE);
  for (const cleared of [t.sHigh, t.sLow, t.dpHigh, t.dpLow]) cleared.view.fill(0);
  const [s, dp] = [pair(t.sHigh, t.sLow), pair(t.dpHigh, t.dpLow)];
  const extent = [q.count, n, PAIR_STRIDE] as const;
  addSliced(kernels, q.qRows, tile.kRows, extent, s);
  addSliced(kernels, q.doRows, tile.vRows, extent, dp);
  kernels.run.doubleGradient(
    s.high,
    s.low,
    dp.high,
    dp.low,
    biased ? t.bias.at : 0,
    pairs.dropout ? t.keep.at : 0,
    q.count,
    columns,
    PAIR_STRIDE,
    t.facts.at,
    t.constants.at,
    t.byRow.at,
    t.byColumn.at,
    t.slope.at,
    work.onScores === null ? 0 : t.scoreHigh.at,
    t.scoreLow.at - t.scoreHigh.at,
  );
  work.onScores?.(at, rows, tile.keys, [t.scoreHigh.view, t.scoreLow.view, t.scoreError.view]);
  return { s, dp };
}

/** dS of one tile, and its shares of dQ, dK and dV. */
function absorb(
  pass: Pass,
  at: readonly [number, number],
  rows: readonly number[],
  q: Queries,
  tile: KeyTile,
): void {
  const { kernels, problem, t, work, met } = pass;
  const { run } = kernels;
  const { width, valueWidth } = problem;
  const n = tile.keys.length;
  const found = tileScores(pass, at, rows, q, tile);
  if (found === null) return;
  const { s, dp } = found;
  const slices = (from: Pair, steps: readonly [number, number], lanes: number, depth: number) => {
    const sliced = cut(kernels, from, steps, lanes, depth, t.pairSlices.at);
    met.failed ||= sliced.failed;
    return sliced;
  };
  if (work.dQ !== null) {
    const rowsOfDp = slices(dp, [PAIR_STRIDE, 1], q.count, n);
    const to = pair(t.dqHigh, t.dqLow);
    addSliced(kernels, rowsOfDp, tile.kColumns, [q.count, width, width], to);
    run.addOuter(t.dqError.at, t.byRow.at, 2, tile.maxima, q.count, width);
    if (problem.keyErrors !== null) addKeyErrors(kernels, t, q.count, width);
  }
  if (work.dK !== null) {
    const columnsOfDp = slices(dp, [1, PAIR_STRIDE], n, q.count);
    const to = pair(t.dkHigh, t.dkLow, tile.start * width);
    addSliced(kernels, columnsOfDp, q.qColumns, [n, width, width], to);
    const error = t.dkError.at + tile.start * width * 8;
    run.addOuter(error, t.byColumn.at, 1, t.qMaxima.at, n, width);
  }
  if (work.dV !== null) {
    const columnsOfP = slices(s, [1, PAIR_STRIDE], n, q.count);
    const to = pair(t.dvHigh, t.dvLow, tile.start * valueWidth);
    addSliced(kernels, columnsOfP, q.doColumns, [n, valueWidth, valueWidth], to);
    const error = t.dvError.at + tile.start * valueWidth * 8;
    run.addOuter(error, t.byColumn.at + eights(n) * 8, 1, t.doMaxima.at, n, valueWidth);
  }
}

/** Moves rows of width d between padded tiles and flat sums. */
function copyRows(
  tiles: readonly Tile[],
  { high, low, radius }: DoubleSums,
  [rows, width, d]: readonly [number, number, number],
  at: number,
  outward: boolean,
): void {
  [high, low, radius].forEach((flat, n) => {
    const view = tiles[n]?.view;
    if (view === undefined) return;
    for (let r = 0; r < rows; r++) {
      const there = flat.subarray((at + r) * d, (at + r + 1) * d);
      if (outward) there.set(view.subarray(r * width, r * width + d));
      else view.set(there, r * width);
    }
  });
}

/** The backward pass of KV head (b, g) over one range of keys and the given rows. Returns what may be lost. */
export function doubleBackward(
  kernels: KernelModule,
  problem: DoubleProblem,
  work: DoubleWork,
): number {
  const { parameters: p, width, valueWidth } = problem;
  const { b, g, rows, keys, dQ, dK, dV, offset } = work;
  const t = layOut(kernels, problem, keys.length, work.onScores !== null);
  writeConstants(kernels, problem, t.constants);
  const met: Met = { value: 0, key: 0, query: 0, dOut: 0, gradient: 0, failed: false };
  const pass: Pass = { kernels, problem, t, work, met };
  const range = loadRange(kernels, problem, t, work, met);
  const group = p.heads / p.kv_heads;
  const heads = Array.from({ length: group }, (_, n) => b * p.heads + g * group + n);
  const lists = heads.map((head) => tilesOf(rows.rows[head] ?? []));
  const rowTiles = lists.flat().length;
  heads.forEach((head, at) => {
    const h = g * group + at;
    let first = entry(rows.starts, head);
    for (const part of lists[at] ?? []) {
      const q = loadQueries(kernels, problem, t, [b, h], part, met);
      const exact = range.every(({ vRows }) => lossless(q.doRows, vRows));
      rowFacts(kernels, problem, t, work, first, part.length, rowTiles, exact, met);
      const sums = [t.dqHigh, t.dqLow, t.dqError];
      const shape = [part.length, width, p.head_dim] as const;
      if (dQ !== null) copyRows(sums, dQ, shape, first, false);
      for (const tile of range) absorb(pass, [b, h], part, q, tile);
      if (dQ !== null) copyRows(sums, dQ, shape, first, true);
      first += part.length;
    }
  });
  const n = keys.length;
  if (dK !== null) {
    copyRows([t.dkHigh, t.dkLow, t.dkError], dK, [n, width, p.head_dim], offset, true);
  }
  if (dV !== null) {
    copyRows([t.dvHigh, t.dvLow, t.dvError], dV, [n, valueWidth, p.head_dim_v], offset, true);
  }
  if (met.failed) return Number.POSITIVE_INFINITY;
  const rowCount = lists.flat(2).length;
  const terms = Math.max(rowCount, work.keyCount) + 8;
  const factor = (1 + Math.abs(p.scale)) * (1 + kappaOf(problem).hi);
  const sizes = (1 + met.key) * (1 + met.query) * (1 + met.dOut) * (1 + met.value);
  return terms * factor * (1 + met.gradient) * sizes * LOST * SLACK;
}
