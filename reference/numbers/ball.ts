/**
 * Balls: a midpoint in any number system and a radius; the real number meant lies within.
 *
 * Every operation computes the midpoint in the system below and a radius that takes in what the
 * operands' radii can do to the exact result and the system's own rounding, itself rounded up.
 * spec/bounds.md §7 derives each line. A radius that overflows, or a midpoint that is no finite
 * number, becomes the infinite radius: never an answer.
 *
 * `compare` compares midpoints. The definition compares only to find the maximum of a row's scores,
 * which it subtracts: the laws of the softmax hold for any number subtracted, as long as it is the
 * same one everywhere. So the ball chosen need not be the largest; it only has to be one of them.
 * @module
 */
import type { Arithmetic } from './arithmetic.ts';

export interface Ball<M, R> {
  readonly mid: M;
  readonly rad: R;
}

/** What a number system's operations may lose, and two constants. */
export const ERRORS = [
  ...(['add', 'mul', 'div', 'exp', 'log', 'logAbsolute', 'tanh', 'tanhAbsolute'] as const),
  ...(['two', 'tiny'] as const),
] as const;

/** Radii: non-negative numbers whose operations round up, and what is known of midpoints. */
export interface Radii<M, R> {
  readonly zero: R;
  readonly infinite: R;
  /** At least |m|; infinite where m is no finite number. */
  readonly size: (m: M) => R;
  /** At most |m| − r, for dividing by; zero where that is not positive. */
  readonly gap: (m: M, r: R) => R;
  /** Rounded up; 0·∞ = 0, since a factor of exactly zero is zero. */
  readonly add: (a: R, b: R) => R;
  readonly mul: (a: R, b: R) => R;
  /** Infinite where b is zero. */
  readonly div: (a: R, b: R) => R;
  readonly min: (a: R, b: R) => R;
  readonly isZero: (r: R) => boolean;
  /** Is r ≤ 1? */
  readonly small: (r: R) => boolean;
  /** Is m + r, or −(|m| − r), so low that e to it, or twice e to twice it, is below `tiny`? */
  readonly vanishes: (m: M, r: R) => boolean;
  readonly saturates: (m: M, r: R) => boolean;
  readonly isOne: (m: M) => boolean;
  readonly isZeroMid: (m: M) => boolean;
  /** Rounding of `fromNumber`, zero where it is exact. */
  readonly given: (value: number, m: M) => R;
  /** Error of each operation relative to its computed result; `absolute` and `tiny` beside it. */
  readonly error: Readonly<Record<(typeof ERRORS)[number], R>>;
}

function additive<M, R>(system: Arithmetic<M>, radii: Radii<M, R>) {
  const { size, add, mul, isZero, isZeroMid, error } = radii;
  const exactZero = ({ mid, rad }: Ball<M, R>): boolean => isZeroMid(mid) && isZero(rad);
  const neg = ({ mid, rad }: Ball<M, R>): Ball<M, R> => ({ mid: system.neg(mid), rad });
  const plus = (a: Ball<M, R>, b: Ball<M, R>): Ball<M, R> => {
    if (exactZero(a)) return b;
    if (exactZero(b)) return a;
    const mid = system.add(a.mid, b.mid);
    const rounding = add(mul(error.add, size(mid)), error.tiny);
    return { mid, rad: add(add(a.rad, b.rad), rounding) };
  };
  return { exactZero, neg, plus };
}

function multiplicative<M, R>(
  system: Arithmetic<M>,
  radii: Radii<M, R>,
  exactZero: (a: Ball<M, R>) => boolean,
) {
  const { zero, size, gap, add, mul, div, isZero, isOne, error } = radii;
  const ZERO: Ball<M, R> = { mid: system.zero, rad: zero };
  const exactOne = ({ mid, rad }: Ball<M, R>): boolean => isOne(mid) && isZero(rad);
  const rounding = (relative: R, mid: M): R => add(mul(relative, size(mid)), error.tiny);
  /** |xy − mₓm_y| ≤ |mₓ|r_y + (|m_y| + r_y)rₓ. */
  const times = (a: Ball<M, R>, b: Ball<M, R>): Ball<M, R> => {
    if (exactZero(a) || exactZero(b)) return ZERO;
    if (exactOne(a)) return b;
    if (exactOne(b)) return a;
    const mid = system.mul(a.mid, b.mid);
    const carried = add(mul(size(a.mid), b.rad), mul(add(size(b.mid), b.rad), a.rad));
    return { mid, rad: add(carried, rounding(error.mul, mid)) };
  };
  /** |x/y − mₓ/m_y| ≤ (rₓ + |mₓ/m_y|r_y)/(|m_y| − r_y). */
  const over = (a: Ball<M, R>, b: Ball<M, R>): Ball<M, R> => {
    if (exactZero(a) && !exactZero(b)) return ZERO;
    if (exactOne(b)) return a;
    const mid = system.div(a.mid, b.mid);
    const computed = rounding(error.div, mid);
    const carried = add(a.rad, mul(add(size(mid), computed), b.rad));
    const moved = isZero(carried) ? zero : div(carried, gap(b.mid, b.rad));
    return { mid, rad: add(moved, computed) };
  };
  return { times, over, rounding };
}

function transcendental<M, R>(
  system: Arithmetic<M>,
  radii: Radii<M, R>,
  exactZero: (a: Ball<M, R>) => boolean,
  rounding: (relative: R, mid: M) => R,
) {
  const { zero, infinite, size, gap, add, mul, div, min, isZero, small, isOne, error } = radii;
  const ZERO: Ball<M, R> = { mid: system.zero, rad: zero };
  const ONE: Ball<M, R> = { mid: system.one, rad: zero };
  /**
   * e^{m ± r} is off by at most e^m(e^r − 1) ≤ e^m(r + r²) for r ≤ 1. Scores beyond what the system's
   * digits resolve have a larger r; but far below the maximum their weights are nothing.
   */
  const exp = ({ mid: x, rad }: Ball<M, R>): Ball<M, R> => {
    if (exactZero({ mid: x, rad })) return ONE;
    if (radii.vanishes(x, rad)) return { mid: system.zero, rad: error.tiny };
    const mid = system.exp(x);
    const computed = rounding(error.exp, mid);
    if (isZero(rad)) return { mid, rad: computed };
    if (!small(rad)) return { mid, rad: infinite };
    const grown = add(rad, mul(rad, rad));
    return { mid, rad: add(mul(add(size(mid), computed), grown), computed) };
  };
  /** |ln x − ln m| ≤ r/(m − r) where m > r. */
  const log = ({ mid: x, rad }: Ball<M, R>): Ball<M, R> => {
    if (isOne(x) && isZero(rad)) return ZERO;
    if (system.compare(x, system.zero) <= 0) return { mid: system.zero, rad: infinite };
    const mid = system.log(x);
    const computed = add(rounding(error.log, mid), error.logAbsolute);
    return { mid, rad: isZero(rad) ? computed : add(div(rad, gap(x, rad)), computed) };
  };
  /** tanh moves by at most its argument, and by at most 2; 1 − |tanh x| ≤ 2e^{−2|x|}. */
  const tanh = ({ mid: x, rad }: Ball<M, R>): Ball<M, R> => {
    if (exactZero({ mid: x, rad })) return ZERO;
    if (radii.saturates(x, rad)) {
      const above = system.compare(x, system.zero) > 0;
      return { mid: above ? system.one : system.neg(system.one), rad: error.tiny };
    }
    const mid = system.tanh(x);
    const computed = add(rounding(error.tanh, mid), error.tanhAbsolute);
    return { mid, rad: add(min(rad, error.two), computed) };
  };
  return { exp, log, tanh };
}

/** Balls over a number system. */
export function ball<M, R>(
  system: Arithmetic<M>,
  radii: Radii<M, R>,
): Arithmetic<Ball<M, R>> & { readonly isExactZero: (a: Ball<M, R>) => boolean } {
  const { exactZero, neg, plus } = additive(system, radii);
  const { times, over, rounding } = multiplicative(system, radii, exactZero);
  return {
    name: system.name,
    zero: { mid: system.zero, rad: radii.zero },
    one: { mid: system.one, rad: radii.zero },
    fromNumber: (value) => {
      const mid = system.fromNumber(value);
      return { mid, rad: radii.given(value, mid) };
    },
    toNumber: ({ mid }) => system.toNumber(mid),
    add: plus,
    sub: (a, b) => plus(a, neg(b)),
    mul: times,
    div: over,
    neg,
    compare: (a, b) => system.compare(a.mid, b.mid),
    ...transcendental(system, radii, exactZero, rounding),
    isExactZero: exactZero,
  };
}
