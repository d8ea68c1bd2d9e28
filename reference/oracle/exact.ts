/**
 * Exact answers: elements that are rational numbers, among them every tie between two numbers of a
 * format, which no ball can ever decide.
 *
 * The definition runs over exact quotients of sums of exponentials (numbers/exponential-sums.ts),
 * row by row and head by head, as long as the work is small. Without softcap every rational value is
 * recognised, unless it has too many terms; so is a rational LSE: log Σe^s is rational only where
 * there is one logit. Under softcap only where every tanh is of an exact zero.
 * @module
 */
import type { Fraction } from 'mathjs';
import type { AttentionCase, CaseParameters } from '../case/case.ts';
import { lift } from '../definition/lift.ts';
import type { End } from '../numbers/balls.ts';
import { decompose } from '../numbers/decompose.ts';
import { enclose, UNKNOWN } from '../numbers/enclosure.ts';
import { exponentialSumsWithin, OutOfWork, rationalValue } from '../numbers/exponential-sums.ts';
import { neighbours } from '../numbers/format.ts';
import { indexOf } from '../numbers/tensor.ts';
import { afford, type Budget, nameOf } from './budget.ts';
import { evaluateWork, type Level } from './levels.ts';
import { type OpenElements, type Work, workFor } from './open-elements.ts';
import { featureProducts, grouped, type Shapes } from './work.ts';

/** Larger work is not tried exactly: fractions grow with every product. */
const SIZE_LIMIT = 20_000;
/**
 * Products of 64-bit words for one row, key or sum. What is rational takes a few thousand in a small
 * case; quotients of different denominators, which seldom are, take a thousand times that.
 */
const WORK_LIMIT = 2_000_000;
/** Products of recomputing K and V that are tried exactly, once for a case. */
const FEATURES_LIMIT = 1_000_000;
/** Units of work (work.ts) of an exact product, and products of words in a unit. */
const PRODUCT = 2;
const WORDS = 100;

const bits = (n: bigint): number => n.toString(2).length;

/** A finite float64 as a quotient of integers. */
function quotientOf(x: number): [bigint, bigint] {
  const { significand, exponent } = decompose(x);
  return exponent >= 0
    ? [significand << BigInt(exponent), 1n]
    : [significand, 1n << BigInt(-exponent)];
}

/** The largest float64 at most n/d, for n, d > 0: 53 bits of it, no finer than 2⁻¹⁰⁷⁴. */
function truncated(n: bigint, d: bigint): number {
  const power = Math.max(-1074, bits(n) - bits(d) - 54);
  const q = power >= 0 ? n / (d << BigInt(power)) : (n << BigInt(-power)) / d;
  const extra = Math.max(0, bits(q) - 53);
  const whole = Number(q >> BigInt(extra));
  // In two steps: the power itself may be out of range although the product is not.
  const half = Math.trunc((power + extra) / 2);
  return whole * 2 ** half * 2 ** (power + extra - half);
}

/** A rational as the float64 nearest to it and the side of that on which it lies. */
export function endOf({ s, n, d }: Fraction): End {
  if (n === 0n) return { near: 0, side: 0 };
  const below = truncated(n, d);
  if (below === Number.POSITIVE_INFINITY) return { near: Number(s) * below, side: 0 };
  const { above } = neighbours('f64', below);
  const [p, q] = quotientOf(below);
  const [r, t] = Number.isFinite(above) ? quotientOf(above) : [1n << 1024n, 1n];
  // Twice the rational against the sum of the two float64 numbers around it.
  const middle = 2n * n * q * t - d * (p * t + r * q);
  const odd = (decompose(below).significand & 1n) === 1n;
  const near = middle > 0n || (middle === 0n && odd) ? above : below;
  if (near === above)
    return {
      near: Number(s) * near,
      side: Number.isFinite(near) && n * t < r * d ? -Number(s) : 0,
    };
  return { near: Number(s) * near, side: n * q > p * d ? Number(s) : 0 };
}

/** Products and sums that a piece of work takes, roughly: pairs of rows and keys, by their width. */
const sizeOf = ({ head_dim, head_dim_v, seq_kv }: CaseParameters, { rows }: Work): number =>
  rows * seq_kv * (head_dim + head_dim_v);

/** What `f` gives; null where it takes more work than is granted. */
function withinWork<T>(f: () => T): T | null {
  try {
    return f();
  } catch (error) {
    if (error instanceof OutOfWork) return null;
    throw error;
  }
}

/** Ends of the rational elements, group by group. */
function exactEnds(
  attentionCase: AttentionCase,
  open: OpenElements,
  shapes: Shapes,
  budget: Budget | undefined,
): Map<string, End> {
  const ends = new Map<string, End>();
  const { parameters } = attentionCase;
  const features = featureProducts(parameters);
  if (features > FEATURES_LIMIT || !afford(budget, PRODUCT * features, open)) return ends;
  const meter = { spent: 0, limit: FEATURES_LIMIT * WORK_LIMIT };
  const problem = lift(exponentialSumsWithin(meter), attentionCase, { lazy: true });
  meter.limit = WORK_LIMIT;
  for (const group of grouped(parameters, open, shapes)) {
    const work = workFor(problem, group, shapes);
    const size = sizeOf(parameters, work);
    if (size > SIZE_LIMIT || !afford(budget, PRODUCT * size, group)) continue;
    meter.spent = 0;
    const outputs = withinWork(() => evaluateWork(problem, work));
    if (budget !== undefined) budget.left -= meter.spent / WORDS;
    for (const [output, flats] of outputs === null ? [] : group) {
      for (const flat of flats) {
        const value = outputs?.[output]?.get(...indexOf(shapes(output), flat)) ?? null;
        const exact = value === null ? null : rationalValue(value);
        if (exact !== null) ends.set(nameOf(output, flat), endOf(exact));
      }
    }
  }
  return ends;
}

/** The level of the ladder that decides rational numbers. */
export const EXACT: Level = {
  name: 'exact',
  enclose: (attentionCase, open, shapes, format, means) => {
    const ends = exactEnds(attentionCase, open, shapes, means?.budget);
    return (output, flat) => {
      const end = ends.get(nameOf(output, flat));
      return end === undefined ? UNKNOWN : enclose(format, end, end);
    };
  },
};
