/**
 * A machine of one precision: arithmetic that rounds after every operation, as a profile allows.
 *
 * Float64 holds the exact product of two f32 numbers, and rounding a float64 sum, product or
 * quotient of f32 numbers to f32 gives the correctly rounded one (53 ≥ 2·24 + 2), so `Math.fround`
 * after each operation is f32 arithmetic, bit for bit.
 * @module
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { exp, log, tanh } from '../../reference/numbers/float64.ts';
import { minNormal, roundTo, ulp } from '../../reference/numbers/format.ts';
import type { HonestChoices, Order } from './choices.ts';

const LOG2_E = 1.4426950408889634;
const LN_2 = 0.6931471805599453;

/** Two factors of a product. */
export type Pair = readonly [number, number];

export interface Machine {
  /** To the operand format, and to the accumulation format. */
  readonly operand: (x: number) => number;
  readonly round: (x: number) => number;
  /** Inputs: of matrix products, and beside them (bias, sink, dLSE). */
  readonly input: (x: number) => number;
  readonly beside: (x: number) => number;
  readonly output: (x: number) => number;
  /** P or dS before a matrix product. */
  readonly narrow: (x: number) => number;
  /** A weight as it enters the denominator, and whatever is made of it. */
  readonly summed: (x: number) => number;
  /** exp(s − m). */
  readonly weight: (s: number, m: number) => number;
  /** m + log l. */
  readonly logSum: (m: number, l: number) => number;
  readonly tanh: (x: number) => number;
  /** How far a score may exceed the running maximum before that moves. */
  readonly headroom: number;
  readonly sum: (terms: readonly number[]) => number;
  readonly dot: (pairs: readonly Pair[]) => number;
  /** A copy in the order of this machine. */
  readonly ordered: <T>(list: readonly T[], size: (item: T) => number) => T[];
}

function shuffle<T>(list: T[], seed: number): T[] {
  const random = xoroshiro128plus(seed);
  for (let n = list.length - 1; n > 0; n--) {
    const other = uniformInt(random, 0, n);
    const [a, b] = [list[n] as T, list[other] as T];
    list[n] = b;
    list[other] = a;
  }
  return list;
}

function arrange<T>(order: Order, seed: number, list: readonly T[], size: (item: T) => number) {
  const copy = [...list];
  if (order === 'reversed') return copy.reverse();
  if (order === 'shuffled') return shuffle(copy, seed);
  if (order === 'adversarial') return copy.sort((a, b) => size(b) - size(a));
  return copy;
}

/** Joins terms two by two along the tree of an order. */
function joined(order: Order, terms: readonly number[], add: (a: number, b: number) => number) {
  const chain = (part: readonly number[]): number => {
    const [first = 0, ...rest] = part;
    return rest.reduce(add, first);
  };
  if (order === 'pairwise') {
    const half = (part: readonly number[]): number => {
      if (part.length <= 2) return chain(part);
      const middle = part.length >> 1;
      return add(half(part.slice(0, middle)), half(part.slice(middle)));
    };
    return half(terms);
  }
  if (order !== 'blocked') return chain(terms);
  const lanes = [0, 1, 2, 3].map((lane) => terms.filter((_, n) => n % 4 === lane));
  return chain(lanes.filter((lane) => lane.length > 0).map(chain));
}

/** Towards zero instead of to nearest. */
function cutOff(x: number): number {
  const rounded = Math.fround(x);
  if (!Number.isFinite(x) || Math.abs(rounded) <= Math.abs(x)) return rounded;
  const below = Math.abs(rounded) - ulp('f32', x);
  return Math.sign(x) * (Number.isFinite(rounded) ? below : 3.4028234663852886e38);
}

/** Alternates with the last bits of x, so that errors neither all cancel nor all agree. */
function signOf(x: number): number {
  return Math.floor(Math.abs(x) * 1048573) % 2 === 0 ? 1 : -1;
}

type Elementary = Pick<Machine, 'weight' | 'logSum' | 'tanh'>;

/**
 * exp, log and tanh: rounded, or as far off as WGSL lets an f32 one be (§15.7.4). Its ULPs are those of a
 * number that is there: what underflows is at most twice itself, whatever |x| grants.
 */
function elementary(
  round: (x: number) => number,
  narrow: boolean,
  { base, elementary: quality }: HonestChoices,
): Elementary {
  const far = narrow && quality === 'worst';
  // A masked score is −∞, and its weight an exact zero, whatever the maximum.
  const masked =
    (weight: (s: number, m: number) => number) =>
    (s: number, m: number): number =>
      s === Number.NEGATIVE_INFINITY ? 0 : weight(s, m);
  const off = (x: number, ulps: number): number =>
    far && Number.isFinite(x) ? x + signOf(x) * Math.min(ulps * ulp('f32', x), Math.abs(x)) : x;
  const e = (x: number): number => round(off(exp(x), 3 + 2 * Math.abs(x)));
  const ln = (l: number): number => {
    const truth = log(l);
    if (!far) return round(truth);
    return round(l >= 0.5 && l <= 2 ? truth + signOf(l) * 2 ** -21 : off(truth, 3));
  };
  const t = (x: number): number => {
    if (!far) return round(tanh(x));
    return round(Math.max(-1, Math.min(1, tanh(x) + signOf(x) * 1e-5)));
  };
  if (base === 'e') {
    return {
      weight: masked((s, m) => e(round(s - m))),
      logSum: (m, l) => round(m + ln(l)),
      tanh: t,
    };
  }
  const c = round(LOG2_E);
  const back = round(LN_2);
  const two = (x: number): number => round(off(exp(x * LN_2), 3 + 2 * Math.abs(x * LN_2)));
  return {
    // A score at a format's lowest number is −∞ times log₂e.
    weight: (s, m) => masked((a, b) => two(round(a - b)))(round(s * c), round(m * c)),
    logSum: (m, l) => round(round(round(m * c) + round(ln(l) * c)) * back),
    tanh: t,
  };
}

/** A lazy maximum waits for 8, in the base of its exponential. */
const headroomOf = ({ headroom }: Profile, { maximum, base }: HonestChoices): number =>
  maximum === 'exact' ? 0 : base === 'e' ? headroom : headroom * LN_2;

/** The machine of a profile and the choices of its programmer. */
export function machine(profile: Profile, choices: HonestChoices): Machine {
  const { outputFormat, operand: u, base } = profile;
  const accumulation = base === 'f64' ? 'f64' : 'f32';
  const narrow = u > 2 ** -24;
  const least = minNormal(accumulation);
  const flush = (x: number): number => (choices.flush && Math.abs(x) < least ? 0 : x);
  const round = (x: number): number => flush(roundTo(accumulation, x));
  const summed = narrow && choices.truncate ? (x: number) => flush(cutOff(x)) : round;
  // Where the profile grants it, subnormals of the operands' and the output's formats too.
  const flushed = choices.flush && profile.operandTiny >= minNormal(base);
  const stored = (format: typeof base, x: number): number => {
    const rounded = roundTo(format, x);
    return flushed && Math.abs(rounded) < minNormal(format) ? 0 : rounded;
  };
  const operand = (x: number): number => stored(base, x);
  const add = (a: number, b: number): number => summed(a + b);
  const arranged = <T>(list: readonly T[], size: (item: T) => number): T[] =>
    arrange(choices.order, choices.seed, list, size);
  const dot = (pairs: readonly Pair[]): number => {
    const list = arranged(pairs, ([a, b]) => a * b);
    const chained = choices.order !== 'pairwise' && choices.order !== 'blocked';
    // A fused step in float64 rounds a·b first: as honest, and as unfused, as without it.
    if (choices.fma && chained) return list.reduce((sum, [a, b]) => summed(sum + a * b), 0);
    const products = list.map(([a, b]) => summed(a * b));
    return joined(choices.order, products, add);
  };
  return {
    operand,
    round,
    input: (x) => flush(operand(x)),
    beside: (x) => flush(stored(outputFormat, x)),
    output: (x) => stored(outputFormat, x),
    narrow: choices.roundP ? operand : (x) => x,
    summed: choices.sum === 'rounded' ? operand : (x) => x,
    sum: (terms) =>
      joined(
        choices.order,
        arranged(terms, (x) => x),
        add,
      ),
    dot,
    ordered: arranged,
    headroom: headroomOf(profile, choices),
    ...elementary(round, accumulation === 'f32', choices),
  };
}
