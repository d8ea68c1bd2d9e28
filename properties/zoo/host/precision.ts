/**
 * Working precision of the host: one rounding function for each step where a profile rounds.
 * @module
 */

import type { ProfileName } from '../../../reference/bounds/lemmas/profile.ts';
import { type FormatName, neighbours, roundTo } from '../../../reference/numbers/format.ts';

export type Rounding = (x: number) => number;

/** A rounding for every kind of number that the host keeps. */
export interface Precision {
  /** Q, K, V, dO, Y and weights before a matrix product. */
  readonly operand: Rounding;
  /** Partial sums of q·k and dO·V, the scaled score, softcap and bias. */
  readonly score: Rounding;
  /** Results of exp and log. */
  readonly exponential: Rounding;
  /** P before P·V and Pᵀ·dO. */
  readonly probability: Rounding;
  /** dS before dS·K and dSᵀ·Q. */
  readonly scoreGradient: Rounding;
  /** Sums of exponentials. */
  readonly sum: Rounding;
  /** Weighted sums of V. */
  readonly accumulate: Rounding;
  /** Normalised partial outputs that travel between ranks. */
  readonly partial: Rounding;
  /** The LSE, between ranks and between the passes. */
  readonly lse: Rounding;
  /** D = Σ dO·O. */
  readonly delta: Rounding;
  /** Sums of gradients. */
  readonly gradient: Rounding;
  /** Final outputs but the LSE. */
  readonly output: Rounding;
}

/** Rounding to nearest even in a format. */
export const to =
  (format: FormatName): Rounding =>
  (x) =>
    roundTo(format, x);

/** Rounding towards zero in a format: what storing without rounding does. */
export const truncated =
  (format: FormatName): Rounding =>
  (x) => {
    const near = roundTo(format, x);
    if (Math.abs(near) <= Math.abs(x)) return near;
    const { below, above } = neighbours(format, near);
    return x > 0 ? below : above;
  };

const same: Rounding = (x) => x;

function uniform(wide: Rounding, operand: Rounding, output: Rounding): Precision {
  return {
    operand,
    score: wide,
    exponential: wide,
    probability: operand,
    scoreGradient: operand,
    sum: wide,
    accumulate: wide,
    partial: wide,
    lse: wide,
    delta: wide,
    gradient: wide,
    output,
  };
}

/** What an implementation of each profile rounds; half profiles accumulate in f32. */
export const PRECISIONS: Readonly<Record<ProfileName, Precision>> = {
  f64: uniform(same, same, same),
  f32: uniform(Math.fround, Math.fround, Math.fround),
  tf32: uniform(Math.fround, to('tf32'), Math.fround),
  f16: uniform(Math.fround, to('f16'), to('f16')),
  bf16: uniform(Math.fround, to('bf16'), to('bf16')),
};

/** Every step rounded to one format: attention as a framework computes it, operator by operator. */
export function eagerPrecision(format: FormatName): Precision {
  const round = to(format);
  return uniform(round, round, round);
}
