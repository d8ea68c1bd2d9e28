/**
 * The same as rows-forward.ts for gradients.
 * @module
 */
import { exp1 } from './elementary';
import { add2, at, atOr, fact, growth, SLACK, splat, U } from './row-parts';

/** |G| and |dS| at most. */
export function rowGradients(
  dot: usize,
  products: usize,
  carried: usize,
  kappa: usize,
  p: usize,
  g: usize,
  dS: usize,
  count: i32,
  facts: usize,
): void {
  const gamma = splat(facts, 0);
  const flushed = splat(facts, 1);
  const d = splat(facts, 2);
  const dError = splat(facts, 3);
  const cotangent = splat(facts, 4);
  const dMost = splat(facts, 5);
  const dLse = splat(facts, 6);
  const rounding = f64x2.splat(4 * U);
  const zero = f64x2.splat(0);
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    const x = at(dot, n);
    const factor = at(kappa, n);
    const off = f64x2.add(f64x2.mul(gamma, at(products, n)), atOr(carried, n, zero));
    const lost = f64x2.add(f64x2.add(off, flushed), f64x2.mul(rounding, f64x2.abs(x)));
    const gError = f64x2.mul(factor, lost);
    const size = f64x2.add(f64x2.mul(factor, f64x2.abs(x)), gError);
    v128.store(g + n, size);
    const bracket = f64x2.abs(f64x2.add(f64x2.sub(f64x2.mul(factor, x), d), cotangent));
    const rounded = f64x2.mul(rounding, f64x2.add(f64x2.add(size, dMost), dLse));
    const most = f64x2.add(f64x2.add(f64x2.add(bracket, gError), dError), rounded);
    v128.store(dS + n, f64x2.mul(at(p, n), most));
  }
}

/** κP, scale·|dS| times the softcap's slope, and one more term each. */
export function rowMagnitudes(
  kappa: usize,
  p: usize,
  dS: usize,
  slope: usize,
  ofCotangent: usize,
  ofOperand: usize,
  terms: usize,
  count: i32,
  scale: f64,
): void {
  const by = f64x2.splat(scale);
  const one = f64x2.splat(1);
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    v128.store(ofCotangent + n, f64x2.mul(at(kappa, n), at(p, n)));
    v128.store(ofOperand + n, f64x2.mul(f64x2.mul(by, at(dS, n)), at(slope, n)));
    v128.store(terms + n, f64x2.add(at(terms, n), one));
  }
}

/** SLACK·(P + 2e^(weight − below) + 2(2·tiny + η)), where that is less. Lemma Far keys */
function errorOfFar(near: f64, p: f64, below: f64, weight: f64, flushed: f64): f64 {
  return min(near, SLACK * (p + 2 * exp1(weight - below) + flushed));
}

/** Lemma Recomputed P: the error of a weight, of those of a score and the LSE. */
@inline
function recomputed(score: v128, fromLse: v128, weight: v128, facts: usize): v128 {
  const twice = splat(facts, 9);
  const scores = f64x2.add(f64x2.add(score, twice), f64x2.mul(f64x2.splat(5), fromLse));
  const rounded = f64x2.mul(splat(facts, 8), f64x2.add(scores, f64x2.splat(4)));
  const inner = f64x2.add(f64x2.add(weight, splat(facts, 7)), rounded);
  const outer = f64x2.splat(1 + 8 * fact(facts, 8));
  return f64x2.add(f64x2.mul(inner, outer), splat(facts, 10));
}

/** Lemmas dP and Recomputed P, and of Lemma D the sum over keys, which is returned. */
export function rowProbabilities(
  products: usize,
  carried: usize,
  valueSizes: usize,
  made: usize,
  kappa: usize,
  g: usize,
  score: usize,
  fromLse: usize,
  below: usize,
  weight: usize,
  p: usize,
  gError: usize,
  pError: usize,
  count: i32,
  facts: usize,
): f64 {
  const own = splat(facts, 0);
  const allCarried = splat(facts, 1);
  const allMade = splat(facts, 2);
  const grown = splat(facts, 3);
  const flushed = splat(facts, 4);
  const input = splat(facts, 5);
  const off = splat(facts, 6);
  const lost = splat(facts, 11);
  const perKey = splat(facts, 12);
  const flushedKey = splat(facts, 13);
  const one = f64x2.splat(1);
  const zero = f64x2.splat(0);
  const held = f64x2.splat(1 + fact(facts, 6));
  const more = f64x2.splat(1 + fact(facts, 3));
  let fromKeys: f64 = 0;
  const end = <usize>count << 3;
  for (let n: usize = 0; n < end; n += 16) {
    const by = f64x2.add(allCarried, atOr(carried, n, zero));
    const beside = f64x2.add(allMade, atOr(made, n, zero));
    const sizes = f64x2.add(f64x2.add(own, at(valueSizes, n)), beside);
    const factor = f64x2.mul(at(kappa, n), held);
    const absolute = f64x2.mul(f64x2.add(flushed, f64x2.mul(input, sizes)), more);
    const sums = f64x2.add(f64x2.mul(f64x2.add(at(products, n), by), grown), by);
    const size = at(g, n);
    const ofG = f64x2.add(f64x2.mul(factor, f64x2.add(sums, absolute)), f64x2.mul(off, size));
    v128.store(gError + n, ofG);
    const all = recomputed(at(score, n), at(fromLse, n), at(weight, n), facts);
    const likely = at(p, n);
    const grows = growth(all);
    let ofP = f64x2.add(f64x2.mul(likely, grows), f64x2.mul(lost, f64x2.add(one, grows)));
    if (!v128.all_true<i64>(f64x2.le(all, one))) {
      ofP = besideFar(ofP, likely, at(below, n), all, 2 * fact(facts, 11));
    }
    v128.store(pError + n, ofP);
    const term = f64x2.add(f64x2.mul(ofP, f64x2.add(size, ofG)), f64x2.mul(likely, ofG));
    const whole = f64x2.mul(f64x2.add(f64x2.mul(likely, size), term), perKey);
    fromKeys = add2(fromKeys, f64x2.add(f64x2.add(term, whole), flushedKey), n + 8 < end);
  }
  return fromKeys;
}

/** Of the lanes whose weight may be off by more than 1 in the log domain. */
function besideFar(near: v128, p: v128, below: v128, weight: v128, flushed: f64): v128 {
  const w0 = f64x2.extract_lane(weight, 0);
  const w1 = f64x2.extract_lane(weight, 1);
  let x0 = f64x2.extract_lane(near, 0);
  let x1 = f64x2.extract_lane(near, 1);
  const p0 = f64x2.extract_lane(p, 0);
  const p1 = f64x2.extract_lane(p, 1);
  if (!(w0 <= 1)) x0 = errorOfFar(x0, p0, f64x2.extract_lane(below, 0), w0, flushed);
  if (!(w1 <= 1)) x1 = errorOfFar(x1, p1, f64x2.extract_lane(below, 1), w1, flushed);
  return f64x2.replace_lane(f64x2.splat(x0), 1, x1);
}

/** Lemma dS. */
export function rowScoreGradients(
  p: usize,
  pError: usize,
  g: usize,
  gError: usize,
  dSError: usize,
  count: i32,
  facts: usize,
): void {
  const rounded = splat(facts, 0);
  const stored = splat(facts, 1);
  const d = splat(facts, 2);
  const dLse = splat(facts, 3);
  const dError = splat(facts, 4);
  const four = f64x2.splat(4 * fact(facts, 5));
  const eight = f64x2.splat(8 * fact(facts, 5));
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    const sizes = f64x2.add(f64x2.add(at(g, n), d), dLse);
    const errors = f64x2.add(at(gError, n), dError);
    const rounding = f64x2.mul(rounded, f64x2.add(sizes, errors));
    const bracket = f64x2.add(f64x2.add(f64x2.add(errors, rounding), stored), four);
    const ofP = f64x2.mul(at(pError, n), f64x2.add(sizes, bracket));
    v128.store(dSError + n, f64x2.add(f64x2.add(ofP, f64x2.mul(at(p, n), bracket)), eight));
  }
}

/** Errors of each key's terms of dV; the constant is added to `beside`. */
export function rowValueTerms(
  kappa: usize,
  p: usize,
  pError: usize,
  ofCotangent: usize,
  beside: usize,
  count: i32,
  facts: usize,
): void {
  const grown = splat(facts, 0);
  const flushed = splat(facts, 1);
  const input = splat(facts, 2);
  const tiny = splat(facts, 3);
  const own = splat(facts, 4);
  const off = splat(facts, 5);
  const held = f64x2.splat(1 + fact(facts, 5));
  const more = f64x2.splat(1 + fact(facts, 0));
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    const k = at(kappa, n);
    const factor = f64x2.mul(k, held);
    const likely = at(p, n);
    const error = at(pError, n);
    const sum = f64x2.add(likely, error);
    const made = f64x2.add(f64x2.add(error, f64x2.mul(sum, grown)), flushed);
    const holding = f64x2.mul(f64x2.mul(off, k), likely);
    v128.store(ofCotangent + n, f64x2.add(f64x2.mul(factor, made), holding));
    const all = f64x2.add(f64x2.add(sum, tiny), own);
    const rest = f64x2.add(f64x2.mul(f64x2.mul(factor, input), all), tiny);
    v128.store(beside + n, f64x2.add(at(beside, n), f64x2.mul(rest, more)));
  }
}

/**
 * Errors of each key's terms of dQ and dK without softcap; the constant is added to `beside`, and its sum
 * returned.
 */
export function rowKeyTerms(
  dS: usize,
  dSError: usize,
  ofOperand: usize,
  ofKeyError: usize,
  beside: usize,
  count: i32,
  facts: usize,
): f64 {
  const scale = splat(facts, 0);
  const rounded = splat(facts, 1);
  const flush = splat(facts, 2);
  const flushed = splat(facts, 3);
  const squares = splat(facts, 4);
  const own = splat(facts, 5);
  const tiny = f64x2.splat(2 * fact(facts, 6));
  const off = splat(facts, 7);
  const exact = splat(facts, 8);
  const zero = f64x2.splat(0);
  const two = f64x2.splat(2);
  let query: f64 = 0;
  const end = <usize>count << 3;
  for (let n: usize = 0; n < end; n += 16) {
    const raw = at(dS, n);
    // Without softcap dRaw is dS; 0·∞ is no number.
    const error = f64x2.add(at(dSError, n), f64x2.mul(raw, zero));
    const sum = f64x2.add(raw, error);
    const scaled = f64x2.mul(scale, f64x2.add(error, f64x2.mul(sum, rounded)));
    const made = f64x2.add(f64x2.add(scaled, flushed), f64x2.mul(off, sum));
    v128.store(ofOperand + n, made);
    if (ofKeyError != 0) v128.store(ofKeyError + n, f64x2.add(made, f64x2.mul(exact, raw)));
    const inner = f64x2.add(f64x2.mul(f64x2.mul(two, sum), own), squares);
    const constant = f64x2.mul(flush, f64x2.add(inner, tiny));
    v128.store(beside + n, f64x2.add(at(beside, n), constant));
    query = add2(query, constant, n + 8 < end);
  }
  return query;
}
