/**
 * Errors of the steps that a case's scalars enter, for the scalars that a candidate holds. spec/bounds.md §3
 *
 * Each is the step's own error (step-errors.ts, gradient-errors.ts) with the largest number that may be
 * held, and what the number held may be off by, times what it multiplies. Coq: held_factor
 * @module
 */
import type { ErrorModel } from './error-model.ts';
import {
  gradientError,
  type KeyTermError,
  keyTermError,
  type ValueTermError,
  valueTermError,
} from './gradient-errors.ts';
import { rawScoreError } from './step-errors.ts';

/** Lemma Score, of the scale. */
export function heldScoreError(
  model: ErrorModel,
  { scale, d }: { scale: number; d: number },
): (magnitude: number, carried: number, sizes: number) => number {
  const off = model.held.scale;
  const made = rawScoreError(model, { scale: scale + off, d });
  return (magnitude, carried, sizes) =>
    made(magnitude, carried, sizes) + off * (magnitude + carried);
}

/** Lemma dP, of κ; `g` is |G|. */
export function heldGradientError(
  model: ErrorModel,
  width: number,
): (kappa: number, products: number, carried: number, sizes: number, g: number) => number {
  const off = model.held.kappa;
  const made = gradientError(model, width);
  return (kappa, products, carried, sizes, g) =>
    made(kappa * (1 + off), products, carried, sizes) + off * g;
}

/** One component of dV, of κ. Lemma Accumulate */
export function heldValueTermError(model: ErrorModel): ValueTermError {
  const off = model.held.kappa;
  const { ofCotangent, constant } = valueTermError(model);
  return {
    ofCotangent: (kappa, p, pError) => ofCotangent(kappa * (1 + off), p, pError) + off * kappa * p,
    constant: (kappa, p, pError) => constant(kappa * (1 + off), p, pError),
  };
}

/** One component of dQ or dK, of the scale. Lemma Accumulate */
export function heldKeyTermError(model: ErrorModel, scale: number): KeyTermError {
  const off = model.held.scale;
  const { ofOperand, constant } = keyTermError(model, scale + off);
  return {
    ofOperand: (raw, rawError) => ofOperand(raw, rawError) + off * (raw + rawError),
    constant,
  };
}
