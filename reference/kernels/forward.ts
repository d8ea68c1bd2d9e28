/**
 * The certified forward pass of TILE query rows: fused, tile by tile of keys, in float64.
 *
 * spec (6)-(9), in the order of the merge (20): each tile of keys is a partial result, brought to the
 * running maximum and added. Radii as in spec/bounds.md, "The kernels' radii".
 * @module
 */
import { log } from '../arithmetic/float64.ts';
import { kvHead } from '../scores.ts';
import type { KernelModule, Tile } from './module.ts';
import { eights, type KernelProblem, readRows, TILE, tilesOf } from './problem.ts';
import {
  denominatorError,
  dotDepth,
  finiteRadius,
  growth,
  logOfOneMinus,
  norm,
  type ScoreBound,
  SLACK,
  scoreBound,
  TINY,
  U,
  weightError,
  weightFloor,
} from './radius.ts';

/** What the backward pass needs of each row, [rows]; and the outputs. */
export interface RowResults {
  /** [rows, dv] */
  readonly out: Float64Array;
  readonly outRadius: Float64Array;
  readonly lse: Float64Array;
  readonly lseRadius: Float64Array;
  /** Reference m of the row's weights, −∞ for an empty row; 1/l. */
  readonly m: Float64Array;
  readonly inverse: Float64Array;
  /** Log-domain error of exp(s − m)/l as recomputed from m and 1/l. */
  readonly probability: Float64Array;
  readonly tanhError: Float64Array;
}

export function emptyResults(
  rows: number,
  valueDim: number,
  allocate: (length: number) => Float64Array,
): RowResults {
  return {
    out: allocate(rows * valueDim),
    outRadius: allocate(rows * valueDim),
    lse: allocate(rows),
    lseRadius: allocate(rows),
    m: allocate(rows),
    inverse: allocate(rows),
    probability: allocate(rows),
    tanhError: allocate(rows),
  };
}

type Tiles = Record<
  | 'q'
  | 'k'
  | 'v'
  | 'packedQ'
  | 'packedK'
  | 'packedV'
  | 's'
  | 'packedP'
  | 'product'
  | 'out'
  | 'size'
  | 'state'
  | 'maxima'
  | 'squares'
  | 'bias'
  | 'keep',
  Tile
>;

function layOut(kernels: KernelModule, { width, valueWidth }: KernelProblem): Tiles {
  return kernels.layOut({
    q: TILE * width,
    k: TILE * width,
    v: TILE * valueWidth,
    packedQ: TILE * width,
    packedK: TILE * width,
    packedV: TILE * valueWidth,
    s: TILE * TILE,
    packedP: TILE * TILE,
    product: TILE * valueWidth,
    out: TILE * valueWidth,
    size: TILE * valueWidth,
    state: TILE * 3,
    maxima: valueWidth,
    squares: TILE,
    bias: TILE * TILE,
    keep: TILE * TILE,
  });
}

/** What was seen of the keys: bounds over all tiles that were not wholly masked. */
interface Seen {
  tiles: number;
  keys: number;
  /** Largest ‖K_j‖, largest |bias|, largest |V_jc|. */
  key: number;
  bias: number;
  value: number;
}

/** One tile of keys: scores, weights, and the sums brought up to date. */
function absorb(
  { run }: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  [b, h]: readonly [number, number],
  rows: readonly number[],
  keys: readonly number[],
  seen: Seen,
): void {
  const { parameters: p, pairs, width, valueWidth } = problem;
  const columns = eights(keys.length);
  const biased = !pairs.plain || columns !== keys.length;
  if (biased) {
    const largest = pairs.scores(t.bias.view, [b, h], rows, keys, TILE);
    if (largest < 0) return;
    seen.bias = Math.max(seen.bias, largest);
  }
  if (pairs.dropout) pairs.kept(t.keep.view, [b, h], rows, keys, TILE);
  const g = kvHead(p, h);
  readRows(problem.k, b, g, keys, t.k.view, width);
  readRows(problem.v, b, g, keys, t.v.view, valueWidth);
  const n = keys.length;
  run.packRows(t.k.at, t.packedK.at, n, p.head_dim, width);
  run.packColumns(t.v.at, t.packedV.at, n, valueWidth, valueWidth);
  run.multiply(t.packedQ.at, t.packedK.at, t.s.at, rows.length, n, p.head_dim, TILE, false);
  seen.key = Math.max(seen.key, norm(run.rowSquares(t.k.at, t.squares.at, n, width), width));
  run.columnMaxima(t.v.at, t.maxima.at, n, valueWidth);
  const maxima = t.maxima.view;
  for (let c = 0; c < valueWidth; c++) seen.value = Math.max(seen.value, maxima[c] ?? 0);
  run.softmaxTile(
    t.s.at,
    biased ? t.bias.at : 0,
    pairs.dropout ? t.keep.at : 0,
    rows.length,
    columns,
    TILE,
    p.scale,
    p.softcap,
    t.state.at,
    t.out.at,
    t.size.at,
    t.maxima.at,
    valueWidth,
  );
  run.packRows(t.s.at, t.packedP.at, rows.length, n, TILE);
  run.multiply(
    t.packedP.at,
    t.packedV.at,
    t.product.at,
    rows.length,
    valueWidth,
    n,
    valueWidth,
    false,
  );
  run.addTile(t.out.at, t.product.at, rows.length * valueWidth);
  seen.tiles++;
  seen.keys += n;
}

/** One row's outputs and radii from its state and sums. */
function finishRow(
  problem: KernelProblem,
  t: Tiles,
  row: number,
  head: number,
  score: ScoreBound,
  seen: Seen,
  to: { readonly results: RowResults; readonly at: number },
): void {
  const { parameters: p, keyErrors, kappa, kappaError, valueWidth } = problem;
  const { results, at } = to;
  const state = t.state.view;
  const [m, l, moves] = [state[row * 3] ?? 0, state[row * 3 + 1] ?? 0, state[row * 3 + 2] ?? 0];
  // m = −∞ beside a sum that is not a number: every score met was not a number either.
  results.m[at] = Number.isNaN(l) ? l : m;
  if (m === Number.NEGATIVE_INFINITY && !Number.isNaN(l)) {
    results.lse[at] = m; // spec (9)
    return;
  }
  const weight = weightError(score, moves);
  const floor = weightFloor(moves);
  const denominator = denominatorError(weight, seen.tiles, TILE, 2 * seen.keys * floor);
  const numerator = growth(weight + (dotDepth(TILE) + seen.tiles + 1) * U * SLACK);
  const lost = (seen.keys + 4) * (floor + 2 * TINY) * (1 + seen.value) * SLACK;
  const logL = log(l);
  const lse = m + logL;
  results.lse[at] = lse;
  results.lseRadius[at] = finiteRadius(
    lse,
    logOfOneMinus(denominator) + (5 * Math.abs(logL) + Math.abs(lse)) * U,
  );
  results.inverse[at] = 1 / l;
  results.probability[at] = (weightError(score, 0) + logOfOneMinus(denominator) + 3 * U) * SLACK;
  results.tanhError[at] = score.tanhError;
  for (let c = 0; c < p.head_dim_v; c++) {
    const from = row * valueWidth + c;
    const plain = (t.out.view[from] ?? 0) / l;
    const missing = ((t.size.view[from] ?? 0) * numerator + lost) * ((1 + denominator) / l);
    const valueError = keyErrors === null ? 0 : (keyErrors.value[head * p.head_dim_v + c] ?? 0);
    const radius = missing + Math.abs(plain) * (denominator + U) + valueError + TINY;
    const value = plain * kappa;
    results.out[at * p.head_dim_v + c] = value;
    const spread = radius * kappa + Math.abs(value) * (kappaError + (kappaError > 0 ? U : 0));
    results.outRadius[at * p.head_dim_v + c] = finiteRadius(value, spread);
  }
}

/** Certified forward of at most TILE rows of (b, h) over all keys, into results[at…]. */
export function forwardRows(
  kernels: KernelModule,
  problem: KernelProblem,
  [b, h]: readonly [number, number],
  rows: readonly number[],
  results: RowResults,
  at: number,
): void {
  const { parameters: p, width, sink, keyErrors } = problem;
  const t = layOut(kernels, problem);
  const seen: Seen = { tiles: 0, keys: 0, key: 0, bias: 0, value: 0 };
  readRows(problem.q, b, h, rows, t.q.view, width);
  kernels.run.packRows(t.q.at, t.packedQ.at, rows.length, p.head_dim, width);
  const start = sink === null ? Number.NEGATIVE_INFINITY : (sink[h] ?? 0);
  for (let r = 0; r < TILE; r++) {
    t.state.view[r * 3] = start;
    t.state.view[r * 3 + 1] = sink === null ? 0 : 1;
  }
  const all = Array.from({ length: p.seq_kv }, (_, j) => j);
  for (const keys of tilesOf(all)) absorb(kernels, problem, t, [b, h], rows, keys, seen);
  kernels.run.rowSquares(t.q.at, t.squares.at, rows.length, width);
  const head = b * p.kv_heads + kvHead(p, h);
  const keyError = keyErrors === null ? 0 : (keyErrors.keyNorm[head] ?? 0);
  const setting = { scale: p.scale, softcap: p.softcap, headDim: p.head_dim };
  const ceiling = sink === null ? 0 : Math.abs(start);
  for (let r = 0; r < rows.length; r++) {
    const query = norm(t.squares.view[r] ?? 0, width);
    const score = scoreBound(setting, query, seen.key, keyError, seen.bias, ceiling);
    finishRow(problem, t, r, head, score, seen, { results, at: at + r });
  }
}
