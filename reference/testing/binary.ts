/**
 * Binary numbers m·2^e of any size, exact, and intervals of them whose ends are rounded outward.
 *
 * For the exact evaluation (exact-evaluation.ts) alone: integers and shifts, with no number system
 * of the oracle's in it. exp is Taylor's series with its remainder, log inverts exp.
 * @module
 */

/** m·2^e. */
export interface Binary {
  readonly m: bigint;
  readonly e: number;
}

/** lo ≤ the real number meant ≤ hi. */
export interface Interval {
  readonly lo: Binary;
  readonly hi: Binary;
}

export const ZERO: Binary = { m: 0n, e: 0 };
export const ONE: Binary = { m: 1n, e: 0 };

const view = new DataView(new ArrayBuffer(8));

/** A finite float64, exactly. */
export function binary(x: number): Binary {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 2047n);
  const fraction = bits & ((1n << 52n) - 1n);
  const m = biased === 0 ? fraction : fraction + (1n << 52n);
  return { m: x < 0 ? -m : m, e: Math.max(biased, 1) - 1075 };
}

export const negative = ({ m, e }: Binary): Binary => ({ m: -m, e });
const absolute = ({ m, e }: Binary): Binary => ({ m: m < 0n ? -m : m, e });

/** Bits of |m|. */
function length(m: bigint): number {
  const digits = (m < 0n ? -m : m).toString(16);
  return digits.length * 4 - Math.clz32(Number.parseInt(digits[0] ?? '0', 16)) + 28;
}

/** t with 2^(t−1) ≤ |x| < 2^t, for x ≠ 0. */
export const top = ({ m, e }: Binary): number => e + length(m);

/** m·2^k, rounded down for negative k. */
function shifted(m: bigint, k: number): bigint {
  if (k >= 0) return m << BigInt(k);
  return -k > length(m) ? (m < 0n ? -1n : 0n) : m >> BigInt(-k);
}

/** x exactly, at so many bits at most, or what is just below it. */
function down({ m, e }: Binary, bits: number): Binary {
  const excess = length(m) - bits;
  return excess > 0 ? { m: m >> BigInt(excess), e: e + excess } : { m, e };
}
const up = (x: Binary, bits: number): Binary => negative(down(negative(x), bits));

/** The exact sum and product; for numbers whose exponents are those of a few inputs. */
export function plus(a: Binary, b: Binary): Binary {
  const e = Math.min(a.e, b.e);
  return { m: (a.m << BigInt(a.e - e)) + (b.m << BigInt(b.e - e)), e };
}
export const times = (a: Binary, b: Binary): Binary =>
  a.m === 0n || b.m === 0n ? ZERO : { m: a.m * b.m, e: a.e + b.e };
export const half = ({ m, e }: Binary): Binary => ({ m, e: e - 1 });

/** −1, 0 or 1, however far the exponents are apart. */
export function compare(a: Binary, b: Binary): number {
  const sign = ({ m }: Binary): number => (m > 0n ? 1 : m < 0n ? -1 : 0);
  if (sign(a) !== sign(b) || sign(a) === 0) return Math.sign(sign(a) - sign(b));
  const apart = top(a) - top(b);
  return apart === 0 ? sign(plus(a, negative(b))) : Math.sign(apart) * sign(a);
}
export const isZero = ({ m }: Binary): boolean => m === 0n;

function sumDown(a: Binary, b: Binary, bits: number): Binary {
  if (isZero(a)) return down(b, bits);
  if (isZero(b)) return down(a, bits);
  const e = Math.max(Math.min(a.e, b.e), Math.max(top(a), top(b)) - bits - 8);
  return down({ m: shifted(a.m, a.e - e) + shifted(b.m, b.e - e), e }, bits);
}

/** a/b for b > 0, rounded down. */
function quotientDown(a: Binary, b: Binary, bits: number): Binary {
  if (isZero(a)) return ZERO;
  const k = Math.max(0, bits + 4 + length(b.m) - length(a.m));
  const n = a.m << BigInt(k);
  const q = n / b.m;
  return down({ m: n < 0n && q * b.m !== n ? q - 1n : q, e: a.e - k - b.e }, bits);
}

export const point = (x: Binary): Interval => ({ lo: x, hi: x });
const least = (list: readonly Binary[]): Binary =>
  list.reduce((a, b) => (compare(b, a) < 0 ? b : a));

/** Interval operations whose ends have at most so many bits. */
export function intervals(bits: number) {
  const neg = ({ lo, hi }: Interval): Interval => ({ lo: negative(hi), hi: negative(lo) });
  const add = (a: Interval, b: Interval): Interval => ({
    lo: sumDown(a.lo, b.lo, bits),
    hi: negative(sumDown(negative(a.hi), negative(b.hi), bits)),
  });
  const sub = (a: Interval, b: Interval): Interval => add(a, neg(b));
  const mul = (a: Interval, b: Interval): Interval => {
    if (a.lo.m >= 0n && b.lo.m >= 0n) {
      return { lo: down(times(a.lo, b.lo), bits), hi: up(times(a.hi, b.hi), bits) };
    }
    const all = [a.lo, a.hi].flatMap((x) => [times(x, b.lo), times(x, b.hi)]);
    const most = negative(least(all.map(negative)));
    return { lo: down(least(all), bits), hi: up(most, bits) };
  };
  /** For b > 0. */
  const div = (a: Interval, b: Interval): Interval => ({
    lo: quotientDown(a.lo, a.lo.m < 0n ? b.lo : b.hi, bits),
    hi: negative(quotientDown(negative(a.hi), a.hi.m < 0n ? b.hi : b.lo, bits)),
  });
  const exp = ({ lo, hi }: Interval): Interval => ({
    lo: expPoint(lo, bits).lo,
    hi: expPoint(hi, bits).hi,
  });
  const log = ({ lo, hi }: Interval): Interval => ({
    lo: logPoint(lo, bits).lo,
    hi: logPoint(hi, bits).hi,
  });
  const sum = (list: readonly Interval[]): Interval => list.reduce(add, point(ZERO));
  return { neg, add, sub, mul, div, exp, log, sum };
}

/** Beyond 2^20 only the power of two of e^−|x| is found: 1.4426 < 1/ln 2 < 1.4427. */
const FAR = 20;
const FARTHEST = 50;

function expFar(x: Binary): Interval {
  if (x.m > 0n) throw new RangeError('"x" of exp expected at most 2^20, got more');
  if (top(x) > FARTHEST) return { lo: ZERO, hi: { m: 1n, e: -(2 ** FARTHEST) } };
  const n = Number(shifted(-x.m, x.e));
  return {
    lo: { m: 1n, e: -Math.ceil((n + 1) * 1.4427) - 2 },
    hi: { m: 1n, e: -Math.floor(n * 1.4426) + 2 },
  };
}

/** e^x: Taylor's series of x/2^k in fixed point, then k squarings. */
function expPoint(x: Binary, bits: number): Interval {
  if (isZero(x)) return point(ONE);
  if (top(x) > FAR) return expFar(x);
  const small = Math.floor(Math.sqrt(bits) / 1.5) + 4;
  const k = Math.max(0, top(x) + small);
  // Two bits for each squaring, which doubles relative errors and rounds; a few for the series.
  const width = bits + 2 * k + 40;
  const r = shifted(x.m, x.e - k + width);
  const one = 1n << BigInt(width);
  let [term, sum, n] = [one, one, 0n];
  while (term !== 0n && term !== -1n) {
    n++;
    term = ((term * r) >> BigInt(width)) / n;
    sum += term;
  }
  // Each term is off by at most 2 units, what is left out by 2, the argument by 1, which e^r < 2 doubles.
  const slack = 2n * n + 8n;
  const { mul } = intervals(width);
  let power: Interval = { lo: { m: sum - slack, e: -width }, hi: { m: sum + slack, e: -width } };
  for (let count = 0; count < k; count++) power = mul(power, power);
  return { lo: down(power.lo, bits), hi: up(power.hi, bits) };
}

/** ln x for x > 0 near 1, by Halley's iteration and ln(1 + t) in [t − t², t] for |t| ≤ 1/2. */
function logPoint(x: Binary, bits: number): Interval {
  const { add, mul, div, neg, exp, sub } = intervals(bits + 64);
  const middle = ({ lo, hi }: Interval): Binary => down(half(plus(lo, hi)), bits + 64);
  const [one, two] = [point(ONE), point({ m: 2n, e: 0 })];
  let y = ZERO;
  for (;;) {
    const t = sub(mul(point(x), exp(neg(point(y)))), one);
    const [size] = [absolute(t.lo), absolute(t.hi)].sort((a, b) => compare(b, a));
    if (size === undefined || isZero(size) || top(size) <= -bits) {
      const lower = sub(point(t.lo), mul(point(t.lo), point(t.lo))).lo;
      return add(point(y), { lo: lower, hi: t.hi });
    }
    y = middle(add(point(y), div(mul(two, t), add(two, t))));
  }
}
