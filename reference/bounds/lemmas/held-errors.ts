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
  gradientTerms,
  keyConstant,
  keyOfOperand,
  keyTerms,
  valueConstant,
  valueOfCotangent,
  valueTerms,
} from './gradient-errors.ts';
import { rawScoreError, rawScoreTerms } from './step-errors.ts';

/** Lemma Score, of the scale. */
export function heldScoreTerms(model: ErrorModel, { scale, d }: { scale: number; d: number }) {
  const off = model.held.scale;
  return { ...rawScoreTerms(model, { scale: scale + off, d }), off };
}
export type HeldScoreTerms = ReturnType<typeof heldScoreTerms>;

export const heldScoreError = (
  terms: HeldScoreTerms,
  magnitude: number,
  carried: number,
  sizes: number,
): number => rawScoreError(terms, magnitude, carried, sizes) + terms.off * (magnitude + carried);

/** Lemma dP, of κ. */
export const heldGradientTerms = (model: ErrorModel, width: number) => ({
  ...{ ...gradientTerms(model, width), off: model.held.kappa },
});
export type HeldGradientTerms = ReturnType<typeof heldGradientTerms>;

/** `g` is |G|. */
export const heldGradientError = (
  terms: HeldGradientTerms,
  kappa: number,
  products: number,
  carried: number,
  sizes: number,
  g: number,
): number =>
  gradientError(terms, kappa * (1 + terms.off), products, carried, sizes) + terms.off * g;

/** One component of dV, of κ. Lemma Accumulate */
export const heldValueTerms = (model: ErrorModel) => ({
  ...{ ...valueTerms(model), off: model.held.kappa },
});
export type HeldValueTerms = ReturnType<typeof heldValueTerms>;

export const heldValueOfCotangent = (
  terms: HeldValueTerms,
  kappa: number,
  p: number,
  pError: number,
): number => valueOfCotangent(terms, kappa * (1 + terms.off), p, pError) + terms.off * kappa * p;

export const heldValueConstant = (
  terms: HeldValueTerms,
  kappa: number,
  p: number,
  pError: number,
): number => valueConstant(terms, kappa * (1 + terms.off), p, pError);

/** One component of dQ or dK, of the scale. Lemma Accumulate */
export function heldKeyTerms(model: ErrorModel, scale: number) {
  const off = model.held.scale;
  return { ...keyTerms(model, scale + off), off };
}
export type HeldKeyTerms = ReturnType<typeof heldKeyTerms>;

export const heldKeyOfOperand = (terms: HeldKeyTerms, raw: number, rawError: number): number =>
  keyOfOperand(terms, raw, rawError) + terms.off * (raw + rawError);

export const heldKeyConstant = (terms: HeldKeyTerms, raw: number, rawError: number): number =>
  keyConstant(terms, raw, rawError);
