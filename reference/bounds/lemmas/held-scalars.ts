/**
 * Scalars of a case as a candidate holds them, in the format it sums in: the scale, and what dropout
 * divides by. spec/bounds.md §3, Held scalars
 *
 * Every other lemma is about the numbers that a candidate holds; these say how far those are from the
 * case's own, beyond the one rounding that the lemmas grant κ and the scale themselves.
 * @module
 */
import type { CaseParameters } from '../../case/case.ts';
import { minNormal } from '../../numbers/format.ts';
import type { Profile } from './profile.ts';

export interface HeldScalars {
  /** Relative error of κ = 1/(1 − rate) before its own rounding; infinite where 1 − rate may be 0. */
  readonly kappa: number;
  /** Absolute error of a scale too small for a normal number of the format. */
  readonly scale: number;
}

/** Where a candidate holds what the case says. */
export const EXACT: HeldScalars = { kappa: 0, scale: 0 };

/**
 * Lemma Held rate: the rate is rounded, and so is 1 minus it, which cancels. What the format holds exactly
 * costs nothing. Coq: held_rate_error
 */
export function heldRateError(u: number, rate: number, exact: { rate: boolean; kept: boolean }) {
  const t = (exact.rate ? 0 : (u * rate) / (1 - rate)) + (exact.kept ? 0 : u);
  return t < 1 ? t / (1 - t) : Number.POSITIVE_INFINITY;
}

export function heldScalars(
  profile: Profile,
  { scale, dropout_rate: rate }: Pick<CaseParameters, 'scale' | 'dropout_rate'>,
): HeldScalars {
  const wide = profile.base === 'f64';
  const fits = (x: number): boolean => wide || Math.fround(x) === x;
  const kept = 1 - rate;
  const exact = { rate: fits(rate), kept: 1 - kept === rate && fits(kept) };
  const size = Math.abs(scale);
  return {
    kappa: heldRateError(profile.accumulation, rate, exact),
    // It may be flushed to zero.
    scale: size > 0 && size < minNormal(wide ? 'f64' : 'f32') ? profile.tiny : 0,
  };
}
