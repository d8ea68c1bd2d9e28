/**
 * What the bounds of a row go through for each of its keys: the loops of reference/bounds/by-pair, operation for
 * operation, two keys at a time. products.test.ts compares every bit with them.
 *
 * Arrays hold a number a key and have room for a multiple of eight; what lies behind the last key is read and
 * written, and never counted. Numbers that a row's keys have in common lie in `facts`, in the order in which the
 * caller's type names them; sums over keys are taken in their order, one after another.
 * @module
 */
import { expConstants, expEight } from './elementary';
import { add2, at, atOr, fact, growth, SLACK, splat, U } from './row-parts';

/** LSE's midpoint and radius. From scores and what they are off by: |s|, |s − LSE|, LSE − s, P. */
export function rowWeights(
  score: usize,
  fromLse: usize,
  below: usize,
  p: usize,
  count: i32,
  facts: usize,
): void {
  expConstants();
  const mid = splat(facts, 0);
  const rad = splat(facts, 1);
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const tiny = f64x2.splat(reinterpret<f64>(<u64>1 << 14));
  const far = f64x2.splat(1 + 9.094947017729282e-13);
  const end = <usize>((count + 7) >> 3) << 6;
  for (let block: usize = 0; block < end; block += 64) {
    for (let n = block; n < block + 64; n += 16) {
      const difference = f64x2.sub(at(score, n), mid);
      const error = f64x2.add(at(fromLse, n), rad);
      const off = offOf(difference, error);
      const moved = f64x2.add(difference, off);
      v128.store(p + n, v128.bitselect(difference, moved, f64x2.lt(off, one)));
    }
    expEight(p + block, zero);
    for (let n = block; n < block + 64; n += 16) {
      const s = at(score, n);
      const own = at(fromLse, n);
      const difference = f64x2.sub(s, mid);
      const error = f64x2.add(own, rad);
      const off = offOf(difference, error);
      const grown = f64x2.add(one, f64x2.mul(off, f64x2.add(one, off)));
      const likely = f64x2.mul(at(p, n), v128.bitselect(grown, far, f64x2.lt(off, one)));
      v128.store(p + n, v128.bitselect(f64x2.add(likely, tiny), one, f64x2.lt(likely, one)));
      const sizes = f64x2.add(f64x2.abs(s), f64x2.abs(mid));
      const lost = f64x2.add(error, f64x2.mul(f64x2.splat(4 * U), sizes));
      v128.store(below + n, f64x2.max(zero, f64x2.sub(f64x2.sub(mid, s), lost)));
      v128.store(score + n, f64x2.add(f64x2.abs(s), own));
      v128.store(fromLse + n, f64x2.add(f64x2.add(f64x2.abs(difference), own), rad));
    }
  }
}

/** error + 16u(1 + |s − LSE|) */
@inline
function offOf(difference: v128, error: v128): v128 {
  const size = f64x2.add(f64x2.splat(1), f64x2.abs(difference));
  return f64x2.add(error, f64x2.mul(f64x2.splat(16 * U), size));
}

/** Scores before softcap and bias, and what they are off by, of keys that are all seen. */
export function rowScores(
  dot: usize,
  products: usize,
  carried: usize,
  keySizes: usize,
  sizes: usize,
  score: usize,
  error: usize,
  count: i32,
  facts: usize,
): void {
  const scale = splat(facts, 0);
  const size = splat(facts, 1);
  const gamma = splat(facts, 2);
  const flushed = splat(facts, 3);
  const tiny = splat(facts, 4);
  const querySize = splat(facts, 5);
  const zero = f64x2.splat(0);
  const end = <usize>count << 3;
  for (let n: usize = 0; n < end; n += 16) {
    const off = f64x2.add(f64x2.mul(gamma, at(products, n)), atOr(carried, n, zero));
    v128.store(error + n, f64x2.add(f64x2.mul(size, f64x2.add(off, flushed)), tiny));
    v128.store(score + n, f64x2.mul(scale, at(dot, n)));
    v128.store(sizes + n, f64x2.add(querySize, at(keySizes, n)));
  }
}

/** x += |y|·by */
export function rowAddSizes(x: usize, y: usize, count: i32, by: f64): void {
  const factor = f64x2.splat(by);
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    v128.store(x + n, f64x2.add(at(x, n), f64x2.mul(factor, f64x2.abs(at(y, n)))));
  }
}

/** The largest of an array of numbers that are not negative, 0 of none. */
export function rowLargest(x: usize, count: i32): f64 {
  let largest: f64 = 0;
  let pairs = f64x2.splat(0);
  const end = <usize>(count & ~1) << 3;
  for (let n: usize = 0; n < end; n += 16) pairs = f64x2.max(pairs, at(x, n));
  largest = max(f64x2.extract_lane(pairs, 0), f64x2.extract_lane(pairs, 1));
  return (count & 1) == 0 ? largest : max(largest, load<f64>(x + end));
}

/** x[0] + x[1] + … */
export function rowSum(x: usize, count: i32): f64 {
  let sum: f64 = 0;
  for (let n: usize = 0; n < <usize>count << 3; n += 8) sum += load<f64>(x + n);
  return sum;
}

/** Lemma Score; the largest error of no far key and the largest |s| + Δs go to `results`. */
export function rowScoreErrors(
  products: usize,
  carried: usize,
  spread: usize,
  sizes: usize,
  score: usize,
  below: usize,
  error: usize,
  count: i32,
  facts: usize,
  results: usize,
): void {
  const scale = splat(facts, 0);
  const grown = splat(facts, 1);
  const eta = splat(facts, 2);
  const squares = splat(facts, 3);
  const flushed = splat(facts, 4);
  const off = splat(facts, 5);
  const allCarried = splat(facts, 6);
  const allSpread = splat(facts, 7);
  const zero = f64x2.splat(0);
  const four = f64x2.splat(4 * (1 + fact(facts, 0)));
  let largest: f64 = 0;
  let logit: f64 = 0;
  const end = <usize>count << 3;
  for (let n: usize = 0; n < end; n += 16) {
    const by = f64x2.add(allCarried, atOr(carried, n, zero));
    const all = f64x2.add(at(sizes, n), f64x2.add(allSpread, atOr(spread, n, zero)));
    const magnitude = f64x2.add(at(products, n), by);
    const flush = f64x2.add(f64x2.add(f64x2.mul(all, eta), squares), flushed);
    const made = f64x2.mul(f64x2.mul(scale, magnitude), grown);
    const raw = f64x2.add(f64x2.add(made, f64x2.mul(scale, by)), f64x2.mul(four, flush));
    const found = f64x2.add(raw, f64x2.mul(off, magnitude));
    v128.store(error + n, found);
    const reached = f64x2.add(at(score, n), found);
    for (let lane: usize = 0; lane < 16 && n + lane < end; lane += 8) {
      const one = load<f64>(error + n + lane);
      if (one > largest && !(load<f64>(below + n + lane) > 800 + 8 * one)) largest = one;
    }
    const second = n + 8 < end ? f64x2.extract_lane(reached, 1) : 0;
    logit = max(logit, max(f64x2.extract_lane(reached, 0), second));
  }
  store<f64>(results, largest);
  store<f64>(results, logit, 8);
}

/**
 * Lemma Weight of keys of which none is far, of given `parts` too: false, and nothing else of use, where one is. The
 * denominator from that of `facts` on, and the largest rounding, go to `results`.
 */
export function rowWeigh(
  score: usize,
  fromLse: usize,
  below: usize,
  p: usize,
  scoreError: usize,
  weight: usize,
  count: i32,
  parts: bool,
  facts: usize,
  results: usize,
): bool {
  const uE = splat(facts, 0);
  const uA = splat(facts, 1);
  const merges = splat(facts, 2);
  const lse = splat(facts, 3);
  const slack = splat(facts, 4);
  const summed = splat(facts, 5);
  const granted = splat(facts, 6);
  const beside = splat(facts, 7);
  const reaching = f64x2.splat(1 + (20 + 4 * fact(facts, 2)) * fact(facts, 1));
  const perScore = f64x2.splat(2 * (1 + 8 * fact(facts, 0)));
  const twice = f64x2.splat(2 * fact(facts, 4));
  const one = f64x2.splat(1);
  const half = f64x2.splat(0.5);
  let denominator = fact(facts, 8);
  let rounded: f64 = 0;
  const end = <usize>count << 3;
  for (let n: usize = 0; n < end; n += 16) {
    const s = at(score, n);
    const error = at(scoreError, n);
    const reach = f64x2.add(f64x2.mul(reaching, f64x2.add(f64x2.max(s, lse), slack)), one);
    const scores = f64x2.mul(perScore, f64x2.add(s, error));
    const exponential = f64x2.mul(f64x2.add(f64x2.splat(8), scores), uE);
    const rise = f64x2.mul(f64x2.splat(10), f64x2.add(at(fromLse, n), twice));
    const shifted = f64x2.mul(rise, uA);
    const first = f64x2.add(f64x2.splat(18), f64x2.mul(f64x2.splat(7), reach));
    const each = f64x2.add(f64x2.splat(14), f64x2.mul(f64x2.splat(2), reach));
    const merged = f64x2.mul(f64x2.add(first, f64x2.mul(merges, each)), uA);
    const two = f64x2.add(f64x2.add(exponential, summed), shifted);
    let own = f64x2.add(f64x2.add(two, merged), granted);
    if (parts) {
      const ofPart = f64x2.add(f64x2.splat(2), f64x2.mul(f64x2.splat(9), reach));
      own = f64x2.add(own, f64x2.mul(f64x2.mul(merges, ofPart), uA));
    }
    const all = f64x2.add(error, own);
    v128.store(weight + n, all);
    const limit = f64x2.add(f64x2.splat(800), f64x2.mul(f64x2.splat(8), error));
    const proved = f64x2.le(f64x2.mul(f64x2.add(own, beside), f64x2.splat(SLACK)), half);
    const near = v128.andnot(proved, f64x2.gt(at(below, n), limit));
    const both = n + 8 < end;
    if (i64x2.extract_lane(near, 0) == 0) return false;
    if (both && i64x2.extract_lane(near, 1) == 0) return false;
    denominator = add2(denominator, f64x2.mul(at(p, n), growth(all)), both);
    rounded = max(rounded, f64x2.extract_lane(own, 0));
    if (both) rounded = max(rounded, f64x2.extract_lane(own, 1));
  }
  store<f64>(results, denominator);
  store<f64>(results, rounded, 8);
  return true;
}

/** What multiplies |V|, and ΔV where there is one, of keys of which none is far. Lemma Output */
export function rowValues(
  p: usize,
  kappa: usize,
  weight: usize,
  ofV: usize,
  ofError: usize,
  count: i32,
  facts: usize,
): void {
  const held = splat(facts, 0);
  const beside = splat(facts, 1);
  const ofLeaf = splat(facts, 2);
  const tiny = splat(facts, 3);
  const operations = splat(facts, 4);
  const rescaled = splat(facts, 5);
  const allRescaled = splat(facts, 6);
  const one = f64x2.splat(1);
  const two = f64x2.splat(2);
  const three = f64x2.splat(3);
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    const factor = f64x2.mul(at(kappa, n), held);
    const leaf = f64x2.add(f64x2.mul(factor, ofLeaf), tiny);
    const lost = f64x2.mul(operations, f64x2.mul(rescaled, f64x2.add(factor, one)));
    const flush = f64x2.add(f64x2.mul(three, leaf), lost);
    const flushed = f64x2.mul(two, f64x2.sub(flush, allRescaled));
    const grown = growth(f64x2.add(at(weight, n), beside));
    const likely = at(p, n);
    v128.store(ofV + n, f64x2.add(f64x2.mul(factor, f64x2.mul(likely, grown)), flushed));
    if (ofError == 0) continue;
    const both = f64x2.mul(likely, f64x2.add(one, grown));
    v128.store(ofError + n, f64x2.add(f64x2.mul(factor, both), flushed));
  }
}

/** Rows of `width` doubles, an even number, from rows that are `fromStride` apart to rows `toStride` apart. */
export function copyRows(
  from: usize,
  fromStride: i32,
  to: usize,
  toStride: i32,
  rows: i32,
  width: i32,
): void {
  const bytes = <usize>width << 3;
  for (let r = 0; r < rows; r++) {
    for (let n: usize = 0; n < bytes; n += 16) v128.store(to + n, v128.load(from + n));
    from += <usize>fromStride << 3;
    to += <usize>toStride << 3;
  }
}
