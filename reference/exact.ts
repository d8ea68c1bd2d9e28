/**
 * Exact answers: elements that are rational numbers, among them every tie between two numbers of a
 * format, which no ball can ever decide.
 *
 * The definition runs over exact quotients of sums of exponentials (arithmetic/exponential-sums.ts),
 * row by row and head by head, as long as the work is small. Without softcap every rational value is
 * recognised, unless it has too many terms; so is a rational LSE: log Σe^s is rational only where
 * there is one logit. Under softcap only where every tanh is of an exact zero.
 * @module
 */
import type { Fraction } from 'mathjs';
import type { End } from './arithmetic/balls.ts';
import { decompose } from './arithmetic/decompose.ts';
import {
  type ExponentialSum,
  exponentialSumsWithin,
  OutOfWork,
  rationalValue,
} from './arithmetic/exponential-sums.ts';
import type { AttentionCase, CaseParameters, OutputName, Outputs } from './case.ts';
import { enclose, UNKNOWN } from './enclosure.ts';
import { neighbours } from './format.ts';
import { evaluateWork, type Level } from './levels.ts';
import { lift } from './lift.ts';
import { type OpenElements, type Work, workFor } from './open-elements.ts';
import { indexOf } from './tensor.ts';

/** Larger work is not tried exactly: fractions grow with every product. */
const SIZE_LIMIT = 20_000;
/**
 * Products of 64-bit words for one row, key or sum. What is rational takes a few thousand in a small
 * case; quotients of different denominators, which seldom are, take a thousand times that.
 */
const WORK_LIMIT = 2_000_000;

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

type Shapes = (output: OutputName) => readonly number[];

/** What an element is computed with: its row, its key, its KV head or its own line. */
function groupOf(
  { kv_heads }: CaseParameters,
  output: OutputName,
  shape: readonly number[],
  flat: number,
): string {
  const index = indexOf(shape, flat);
  switch (output) {
    case 'out':
    case 'd_q':
      return `row ${index.slice(0, 3)}`;
    case 'd_k':
    case 'd_v':
      return `key ${index.slice(0, 3)}`;
    case 'd_w_k':
    case 'd_w_v':
      return `${output} ${Math.floor(((index[1] ?? 0) * kv_heads) / (shape[1] ?? 1))}`;
    case 'd_y':
    case 'd_bias':
      return `${output} ${index.slice(0, -1)}`;
    default: // the LSE leaves the field where it is irrational: apart
      return `${output} ${index}`;
  }
}

/** Open elements by what they are computed with. */
function grouped(
  parameters: CaseParameters,
  open: OpenElements,
  shapes: Shapes,
): Iterable<OpenElements> {
  const groups = new Map<string, OpenElements>();
  for (const [output, flats] of open) {
    for (const flat of flats) {
      const key = groupOf(parameters, output, shapes(output), flat);
      const group = groups.get(key) ?? new Map<OutputName, number[]>();
      const list = group.get(output) ?? [];
      list.push(flat);
      group.set(output, list);
      groups.set(key, group);
    }
  }
  return groups.values();
}

/** An element's name in the maps below. */
const nameOf = (output: OutputName, flat: number): string => `${output} ${flat}`;

/** Products and sums that a piece of work takes, roughly: pairs of rows and keys, by their width. */
function sizeOf({ parameters: p }: AttentionCase, { forward }: Work): number {
  let rows = 0;
  for (let b = 0; b < p.batch; b++) {
    for (let h = 0; h < p.heads; h++) {
      for (let i = 0; i < p.seq_q; i++) if (forward(b, h, i)) rows++;
    }
  }
  return rows * p.seq_kv * (p.head_dim + p.head_dim_v);
}

/** Outputs of one group over exact sums; null where that takes more work than is granted. */
function evaluateExactly(
  [attentionCase, group, shapes]: [AttentionCase, OpenElements, Shapes],
  limit: number,
): Outputs<ExponentialSum | null> | null {
  const problem = lift(exponentialSumsWithin({ spent: 0, limit }), attentionCase, { lazy: true });
  const work = workFor(problem, group, shapes);
  if (sizeOf(attentionCase, work) > SIZE_LIMIT) return null;
  try {
    return evaluateWork(problem, work);
  } catch (error) {
    if (error instanceof OutOfWork) return null;
    throw error;
  }
}

/** Ends of the rational elements of one group. */
function addExactEnds(
  ends: Map<string, End>,
  given: [AttentionCase, OpenElements, Shapes],
  limit: number,
): void {
  const [, group, shapes] = given;
  const outputs = evaluateExactly(given, limit);
  if (outputs === null) return;
  for (const [output, flats] of group) {
    for (const flat of flats) {
      const value = outputs[output]?.get(...indexOf(shapes(output), flat)) ?? null;
      const exact = value === null ? null : rationalValue(value);
      if (exact !== null) ends.set(nameOf(output, flat), endOf(exact));
    }
  }
}

/** The level of the ladder that decides rational numbers. */
export const EXACT: Level = {
  name: 'exact',
  enclose: (attentionCase, open, shapes, format) => {
    const ends = new Map<string, End>();
    for (const group of grouped(attentionCase.parameters, open, shapes))
      addExactEnds(ends, [attentionCase, group, shapes], WORK_LIMIT);
    return (output, flat) => {
      const end = ends.get(nameOf(output, flat));
      return end === undefined ? UNKNOWN : enclose(format, end, end);
    };
  },
};
