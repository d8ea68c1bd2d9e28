/**
 * The magnitudes of one row that every bound of it is made of, rounded up. spec/bounds.md §2
 *
 * They do not depend on a candidate's precision, so they are computed once for all error models.
 * Scores are recomputed in float64 with an error of their own (Lemma Score with 2⁻⁵³), and every
 * magnitude takes in the errors and radii of what it is computed from.
 * @module
 */

import { exp, tanh } from '../../numbers/float64.ts';
import { nth, whole } from '../../numbers/nth.ts';
import { growth } from '../lemmas/error-model.ts';
import type { CertifiedCase } from './certified.ts';
import * as rows from './row-kernels.ts';
import { broadcastAt, type Row, type RowMagnitudes, type RowProducts } from './row-magnitudes.ts';

const U = 2 ** -53;
const TINY = 2 ** -1060;

/**
 * A bias is taken for this where it is lower, of a key that lies below its row's LSE even so: what such a key
 * may weigh falls with its bias, and float64 has no room for the bounds of its own lowest number. bounds.md §3,
 * Far keys
 */
export const LOWEST_BIAS = -(2 ** 1000);

/** P at most, given s − LSE and the error of that. */
function probabilityAtMost(difference: number, error: number): number {
  const off = error + 16 * U * (1 + Math.abs(difference));
  // Of a score far below, the error is large too, and P nothing all the same.
  const p = off < 1 ? exp(difference) * (1 + growth(off)) : exp(difference + off) * (1 + 2 ** -40);
  return p < 1 ? p + TINY : 1;
}

/** How far below that P may be, in the log domain. */
const spreadOfP = (difference: number, error: number): number =>
  4 * (error + 32 * U * (1 + Math.abs(difference)));

/** LSE − s at least. */
function belowAtLeast(s: number, error: number, lse: { mid: number; rad: number }): number {
  const off = error + lse.rad + 4 * U * (Math.abs(s) + Math.abs(lse.mid));
  return Math.max(0, lse.mid - s - off);
}

/** What softcap and bias make of a raw score: the score, its float64 error, tanh and its error. */
interface Capped {
  readonly s: number;
  readonly error: number;
  readonly capped: number;
  readonly t: number;
  readonly tError: number;
}

function cappedScore(softcap: number, bias: number, raw: number, rawError: number): Capped {
  if (softcap === 0) {
    const s = raw + bias;
    return {
      s,
      error: rawError + U * Math.abs(s),
      capped: Math.abs(raw) + rawError,
      t: 0,
      tError: 0,
    };
  }
  const t = tanh(raw / softcap);
  const tError = Math.min(
    2,
    rawError / softcap + 32 * U * Math.abs(t) + U * Math.abs(raw / softcap) + TINY,
  );
  const capped = softcap * t;
  const cappedError = softcap * tError + U * Math.abs(capped);
  const s = capped + bias;
  return {
    s,
    error: cappedError + U * Math.abs(s),
    capped: Math.min(softcap, Math.abs(capped) + cappedError),
    t,
    tError,
  };
}

/** The bias, or LOWEST_BIAS where it is lower and a key under that lies below the LSE. */
function raisedBias(
  softcap: number,
  bias: number,
  { raw, rawError, lse }: { raw: number; rawError: number; lse: { mid: number; rad: number } },
): number {
  if (bias >= LOWEST_BIAS) return bias;
  const { s, error } = cappedScore(softcap, LOWEST_BIAS, raw, rawError);
  return belowAtLeast(s, error, lse) > 0 ? LOWEST_BIAS : bias;
}

/** The keys that the row sees, by place. */
function fillKeys(c: CertifiedCase, [b, h, i]: Row, to: RowMagnitudes): void {
  const { seq_kv } = c.parameters;
  const { seesAll } = to;
  // The same of every row, and there already.
  if (seesAll && to.count === seq_kv) return;
  let count = 0;
  for (let j = 0; j < seq_kv; j++) if (seesAll || c.visible(b, h, i, j)) to.j[count++] = j;
  to.count = count;
}

/** Lemma Score in float64: the score before softcap and bias into `score`, and what it is off by into `fromLse`. */
function fillRaw({ parameters }: CertifiedCase, given: RowProducts, to: RowMagnitudes): void {
  const { head_dim: d, scale } = parameters;
  const { dot, products, carried, keySizes, querySize } = given;
  const size = Math.abs(scale);
  const { kernels } = to;
  if (kernels !== null && to.seesAll) {
    const facts = { scale, gamma: gammaOf(d), flushed: d * TINY, tiny: TINY };
    rows.fillScores(kernels, given, to, facts);
    return;
  }
  const [s, error] = [to.score, to.fromLse];
  for (let n = 0; n < to.count; n++) {
    const j = whole(to.j, n);
    const product = nth(products, j);
    const off = carried === null ? 0 : nth(carried, j);
    const raw = scale * nth(dot, j);
    const rawError = size * (gammaOf(d) * product + off + d * TINY) + TINY;
    to.products[n] = product;
    to.sizes[n] = querySize + nth(keySizes, j);
    s[n] = raw;
    error[n] = rawError;
  }
}

/** What softcap and bias make of the scores. */
function fillCapped(
  c: CertifiedCase,
  row: Row,
  lse: { mid: number; rad: number },
  to: RowMagnitudes,
): void {
  const { softcap } = c.parameters;
  const { uses } = to;
  const [scores, errors] = [to.score, to.fromLse];
  for (let n = 0; n < to.count; n++) {
    const [raw, rawError] = [nth(scores, n), nth(errors, n)];
    const own = c.bias === null ? 0 : nth(c.bias.data, broadcastAt(c.bias, row, whole(to.j, n)));
    const bias = own >= LOWEST_BIAS ? own : raisedBias(softcap, own, { raw, rawError, lse });
    const { s, error, capped, t, tError } = cappedScore(softcap, bias, raw, rawError);
    to.capped[n] = capped;
    if (uses.bias) {
      to.bias[n] = Math.abs(bias);
      to.raised[n] = bias === own ? 0 : 1;
    }
    if (uses.softcap) {
      to.raw[n] = Math.abs(raw) + rawError;
      to.rawLeast[n] = Math.max(0, Math.abs(raw) - rawError);
      to.t[n] = Math.min(1, Math.abs(t) + tError);
      to.slope[n] = Math.min(1, 1 - t * t + 2 * tError + tError * tError + 4 * U);
      if (uses.spreads) to.slopeSpread[n] = 2 * (2 * tError + tError * tError + 8 * U);
    }
    scores[n] = s;
    errors[n] = error;
  }
}

/** From scores and their errors: everything up to P. */
function fillWeights({ mid, rad }: { mid: number; rad: number }, to: RowMagnitudes): void {
  const { spreads } = to.uses;
  if (to.kernels !== null && !spreads) {
    rows.fillWeights(to.kernels, { mid, rad }, to);
    return;
  }
  for (let n = 0; n < to.count; n++) {
    const s = nth(to.score, n);
    const error = nth(to.fromLse, n);
    const difference = s - mid;
    to.score[n] = Math.abs(s) + error;
    to.fromLse[n] = Math.abs(difference) + error + rad;
    const off = error + rad + 4 * U * (Math.abs(s) + Math.abs(mid));
    to.below[n] = Math.max(0, mid - s - off);
    to.p[n] = probabilityAtMost(difference, error + rad);
    if (spreads) to.pSpread[n] = spreadOfP(difference, error + rad);
  }
}

/** The scores of the row: everything up to P. */
function fillScores(
  c: CertifiedCase,
  row: Row,
  lse: { mid: number; rad: number },
  given: RowProducts,
  to: RowMagnitudes,
): void {
  fillRaw(c, given, to);
  if (to.uses.softcap || to.uses.bias) fillCapped(c, row, lse, to);
  else if (to.kernels !== null) rows.addSizes(to.kernels, to, U);
  else {
    for (let n = 0; n < to.count; n++) {
      to.fromLse[n] = nth(to.fromLse, n) + U * Math.abs(nth(to.score, n));
    }
  }
  fillWeights(lse, to);
}

/** D of the row. spec (12) */
function fillCotangent(
  { parameters, dOut, out, dLse }: CertifiedCase,
  r: number,
  to: RowMagnitudes,
) {
  const { head_dim_v: width } = parameters;
  let [d, dProducts, dError] = [0, 0, 0];
  for (let e = r * width; e < (r + 1) * width; e++) {
    const [x, o, rad] = [nth(dOut, e), nth(out.mid, e), nth(out.rad, e)];
    d += x * o;
    dProducts += Math.abs(x) * (Math.abs(o) + rad);
    dError += Math.abs(x) * rad;
  }
  dError += gammaOf(width) * dProducts + width * TINY;
  to.d = Math.abs(d) + dError;
  to.dLse = Math.abs(nth(dLse, r));
  to.dProducts = dProducts;
  return { d, dError };
}

/** What a product of so many terms may lose in float64, relative to the sum of their sizes. */
const gammaOf = (width: number): number => 1.01 * (width + 3) * U;

/** G, D and dS of the row. spec (11)-(13) */
function fillGradients(c: CertifiedCase, r: number, given: RowProducts, to: RowMagnitudes): void {
  const { gDot, gProducts, gCarried } = given;
  const { head_dim_v: width } = c.parameters;
  const gamma = gammaOf(width);
  const { d, dError } = fillCotangent(c, r, to);
  const cotangent = nth(c.dLse, r);
  const { spreads } = to.uses;
  fillSink(to, { cotangent, d, dError });
  if (to.kernels !== null && to.seesAll && !spreads) {
    rows.fillGradients(to.kernels, given, to, [gamma, width * TINY, d, dError, cotangent]);
    return;
  }
  for (let n = 0; n < to.count; n++) {
    const j = whole(to.j, n);
    const dot = nth(gDot, j);
    const products = nth(gProducts, j);
    const factor = nth(to.kappa, n);
    const carried = gCarried === null ? 0 : nth(gCarried, j);
    const gError = factor * (gamma * products + carried + width * TINY + 4 * U * Math.abs(dot));
    const g = factor * Math.abs(dot) + gError;
    to.g[n] = g;
    to.gProducts[n] = products;
    const bracket = Math.abs(factor * dot - d + cotangent);
    const rounded = 4 * U * (g + to.d + to.dLse);
    const p = nth(to.p, n);
    to.dS[n] = p * (bracket + gError + dError + rounded);
    if (!spreads) continue;
    const off = gError + dError + rounded;
    to.dSSpread[n] = p * (2 * off + growth(nth(to.pSpread, n)) * (bracket + off));
  }
}

/** |dS| of the sink. */
function fillSink(
  { sink, d: most, dLse }: RowMagnitudes,
  { cotangent, d, dError }: { cotangent: number; d: number; dError: number },
): void {
  if (sink === null) return;
  sink.dS = sink.p * (Math.abs(cotangent - d) + dError + 2 * U * (most + dLse));
}

/** Fill `to` for row (b, h, i); false for a row that attends to nothing. */
export function fillRow(
  c: CertifiedCase,
  row: Row,
  given: RowProducts,
  to: RowMagnitudes,
): boolean {
  const { heads, seq_q } = c.parameters;
  const r = (row[0] * heads + row[1]) * seq_q + row[2];
  const lse = { mid: nth(c.lse.mid, r), rad: nth(c.lse.rad, r) };
  if (Number.isNaN(lse.rad)) return false;
  fillKeys(c, row, to);
  fillScores(c, row, lse, given, to);
  to.lse = Math.abs(lse.mid) + lse.rad;
  const own = c.sink?.[row[1]];
  if (own === undefined) to.sink = null;
  else {
    const raised = own < LOWEST_BIAS && belowAtLeast(LOWEST_BIAS, 0, lse) > 0;
    const sink = raised ? LOWEST_BIAS : own;
    const p = probabilityAtMost(sink - lse.mid, lse.rad);
    to.sink = {
      p,
      score: Math.abs(sink),
      fromLse: Math.abs(sink - lse.mid) + lse.rad,
      below: belowAtLeast(sink, 0, lse),
      pSpread: spreadOfP(sink - lse.mid, lse.rad),
      raised,
      dS: 0,
    };
  }
  const { kappa } = c;
  for (let n = 0; kappa !== null && n < to.count; n++) {
    to.kappa[n] = nth(kappa.data, broadcastAt(kappa, row, whole(to.j, n)));
  }
  if (c.gradients !== null) fillGradients(c, r, given, to);
  return true;
}
