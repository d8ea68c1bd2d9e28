/**
 * The outputs of rows that have seen all keys, and their radii: spec/bounds.md, "The kernels' radii".
 * @module
 */

import { log } from '../../numbers/float64.ts';
import { nth } from '../../numbers/nth.ts';
import type { KernelModule } from '../module.ts';
import { GROUP, type KernelProblem, TILE } from '../walk/problem.ts';
import {
  besideFar,
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
import type { OpenBlock, RowResults, RowTile, Tiles } from './row-blocks.ts';

/** One row's outputs and radii from its state and sums. */
function finishRow(
  { run }: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  r: number,
  score: ScoreBound,
  seen: RowTile,
  results: RowResults,
): void {
  const { keyErrors, kappa, kappaError, sink } = problem;
  const [row, at] = [seen.start + r, seen.at + r];
  if (seen.seeing[r] === 0 && sink === null) {
    results.m[at] = Number.NEGATIVE_INFINITY;
    results.lse[at] = Number.NEGATIVE_INFINITY; // spec (9)
    return;
  }
  const [most = 0, sum = 0, moves = 0] = t.state.view.subarray(row * 3, row * 3 + 3);
  // Scores beyond float64, of either sign, leave infinities behind, of which nothing follows.
  const m = Number.isFinite(most) && Number.isFinite(sum) ? most : Number.NaN;
  const l = sum + (m - m);
  results.m[at] = m;
  const weight = weightError(score, moves);
  const floor = weightFloor(moves);
  const denominator = denominatorError(weight, seen.tiles, TILE, 2 * seen.keys * floor);
  const sums = t.groups > 0 ? Math.min(seen.tiles, GROUP) + t.groups : seen.tiles;
  const numerator = growth(weight + (dotDepth(TILE) + sums + 1) * U * SLACK);
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
  const skip = row * t.columns;
  run.finishOutput(
    t.out.at + skip * 8,
    t.size.at + skip * 8,
    keyErrors === null ? 0 : t.valueErrors.at,
    t.columns,
    l,
    (1 + denominator) / l,
    numerator,
    lost,
    denominator + U,
    kappa,
    kappaError + (kappaError > 0 ? U : 0),
  );
  copyOutput(problem, t, skip, results, at);
}

/** Copies a finished row out; the sizes of its values are upper ends. */
function copyOutput(
  { parameters: p, valueWidth }: KernelProblem,
  t: Tiles,
  skip: number,
  results: RowResults,
  at: number,
): void {
  const [d, to] = [p.head_dim_v, at * p.head_dim_v];
  results.out.set(t.out.view.subarray(skip, skip + d), to);
  results.outRadius.set(t.size.view.subarray(skip, skip + d), to);
  if (results.valueSizes === null) return;
  for (let c = 0; c < d; c++) {
    const from = skip + valueWidth + c;
    const most = nth(t.out.view, from) + nth(t.size.view, from);
    results.valueSizes[to + c] = Number.isNaN(most) ? Number.POSITIVE_INFINITY : most;
  }
}

/** The outputs of a block that has seen all keys. */
export function finishBlock(
  kernels: KernelModule,
  problem: KernelProblem,
  [b, g]: readonly [number, number],
  { t, tiles, queries }: OpenBlock,
  results: RowResults,
): void {
  const { parameters: p, width, valueWidth, sink, keyErrors } = problem;
  if (t.groups > 0) {
    t.out.view.set(t.wholeOut.view);
    t.size.view.set(t.wholeSize.view);
  }
  const head = b * p.kv_heads + g;
  const keyError = keyErrors === null ? 0 : nth(keyErrors.keyNorm, head);
  if (keyErrors !== null) {
    const errors = keyErrors.value.subarray(head * p.head_dim_v, (head + 1) * p.head_dim_v);
    for (let c = 0; c < t.columns; c += valueWidth) t.valueErrors.view.set(errors, c);
  }
  const setting = { scale: p.scale, softcap: p.softcap, headDim: p.head_dim };
  tiles.forEach((seen, n) => {
    const ceiling = sink === null ? 0 : Math.abs(nth(sink, seen.h));
    queries[n]?.forEach((square, r) => {
      const score = scoreBound(
        setting,
        norm(square, width),
        seen.key,
        keyError,
        seen.bias,
        ceiling,
      );
      const beside = besideFar(score, seen.seeing[r]);
      finishRow(kernels, problem, t, r, beside, seen, results);
    });
  });
}
