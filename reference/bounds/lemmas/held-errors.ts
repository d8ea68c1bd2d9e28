/**
 * Errors of the steps that a case's scalars enter, for the scalars that a candidate holds. spec/bounds.md §3
 *
 * Each is the step's own error (step-errors.ts, gradient-errors.ts) with the largest number that may be
 * held, and what the number held may be off by, times what it multiplies. Coq: held_factor
 * @module
 */
import type { ErrorModel } from './error-model.ts';
import { gradientError, keyTermError, valueTermError } from './gradient-errors.ts';
import { rawScoreError } from './step-errors.ts';

/** Lemma Score, of the scale. */
export function heldScoreError(
  model: ErrorModel,
  { scale, d }: { scale: number; d: number },
  operands: { magnitude: number; carried: number; sizes: number },
): number {
  const off = model.held.scale;
  const made = rawScoreError(model, { scale: scale + off, d }, operands);
  return made + off * (operands.magnitude + operands.carried);
}

/** Lemma dP, of κ; `g` is |G|. */
export function heldGradientError(
  model: ErrorModel,
  width: number,
  [kappa, products, carried, sizes]: readonly [number, number, number, number],
  g: number,
): number {
  const off = model.held.kappa;
  return gradientError(model, width, [kappa * (1 + off), products, carried, sizes]) + off * g;
}

/** One component of dV, of κ. Lemma Accumulate */
export function heldValueTermError(
  model: ErrorModel,
  kappa: number,
  p: number,
  pError: number,
): { ofCotangent: number; constant: number } {
  const off = model.held.kappa;
  const { ofCotangent, constant } = valueTermError(model, kappa * (1 + off), p, pError);
  return { ofCotangent: ofCotangent + off * kappa * p, constant };
}

/** One component of dQ or dK, of the scale. Lemma Accumulate */
export function heldKeyTermError(
  model: ErrorModel,
  scale: number,
  raw: number,
  rawError: number,
): { ofOperand: number; constant: number } {
  const off = model.held.scale;
  const { ofOperand, constant } = keyTermError(model, scale + off, raw, rawError);
  return { ofOperand: ofOperand + off * (raw + rawError), constant };
}
