/**
 * What assembly/rows-forward.ts and rows-backward.ts export. Arrays are byte addresses, 0 where there is none.
 * @module
 */

/** Loops over the keys of a row. */
export interface RowFunctions {
  rowScores(
    ...arrays: [
      ...[dot: number, products: number, carried: number, keySizes: number],
      ...[sizes: number, score: number, error: number, count: number, facts: number],
    ]
  ): void;
  rowAddSizes(x: number, y: number, count: number, by: number): void;
  rowWeights(
    score: number,
    fromLse: number,
    below: number,
    p: number,
    count: number,
    facts: number,
  ): void;
  rowGradients(
    ...arrays: [
      ...[dot: number, products: number, carried: number, kappa: number, p: number],
      ...[g: number, dS: number, count: number, facts: number],
    ]
  ): void;
  rowMagnitudes(
    ...arrays: [
      ...[kappa: number, p: number, dS: number, slope: number],
      ...[ofCotangent: number, ofOperand: number, terms: number, count: number, scale: number],
    ]
  ): void;
  rowLargest(x: number, count: number): number;
  rowSum(x: number, count: number): number;
  rowScoreErrors(
    ...arrays: [
      ...[products: number, carried: number, spread: number, sizes: number, score: number],
      ...[below: number, error: number, count: number, facts: number, results: number],
    ]
  ): void;
  rowWeigh(
    ...arrays: [
      ...[score: number, fromLse: number, below: number, p: number, scoreError: number],
      ...[weight: number, count: number, parts: boolean, facts: number, results: number],
    ]
  ): number;
  rowValues(
    ...arrays: [
      ...[p: number, kappa: number, weight: number, ofV: number, ofError: number],
      ...[count: number, facts: number],
    ]
  ): void;
  rowProbabilities(
    ...arrays: [
      ...[products: number, carried: number, valueSizes: number, made: number, kappa: number],
      ...[g: number, score: number, fromLse: number, below: number, weight: number, p: number],
      ...[gError: number, pError: number, count: number, facts: number],
    ]
  ): number;
  rowScoreGradients(
    ...arrays: [
      ...[p: number, pError: number, g: number, gError: number, dSError: number],
      ...[count: number, facts: number],
    ]
  ): void;
  rowValueTerms(
    ...arrays: [
      ...[kappa: number, p: number, pError: number, ofCotangent: number, beside: number],
      ...[count: number, facts: number],
    ]
  ): void;
  rowKeyTerms(
    ...arrays: [
      ...[dS: number, dSError: number, ofOperand: number, ofKeyError: number, beside: number],
      ...[count: number, facts: number],
    ]
  ): number;
  copyRows(
    from: number,
    fromStride: number,
    to: number,
    toStride: number,
    rows: number,
    width: number,
  ): void;
}
