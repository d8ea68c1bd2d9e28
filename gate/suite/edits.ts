/**
 * Edits of a drawn case's inputs, the words in which probes are written.
 * @module
 */
import type { CaseInputs, CaseParameters } from '../../reference/case/case.ts';
import type { Below } from '../../reference/case/draw-case.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { forEachIndex, type Tensor, tensorOf } from '../../reference/numbers/tensor.ts';
import type { SuiteSpec } from './suite-spec.ts';

export type Adjust = NonNullable<SuiteSpec['adjust']>;

/** Replaces a tensor's elements, rounded to the case's dtype. */
export function edit(
  tensor: Tensor | undefined,
  dtype: CaseParameters['dtype'],
  value: (at: number[], old: number) => number,
): void {
  if (tensor === undefined) return;
  forEachIndex(tensor.shape, (at) =>
    tensor.set(...at, roundTo(dtype, value(at, tensor.get(...at)))),
  );
}

/** Several edits, one after another. */
export const all =
  (...edits: Adjust[]): Adjust =>
  (inputs, p, below) => {
    for (const one of edits) one(inputs, p, below);
  };

/** Every element of an input becomes value(index, old, parameters). */
export const set =
  (
    name: keyof CaseInputs,
    value: (at: number[], old: number, parameters: CaseParameters) => number,
  ): Adjust =>
  (inputs, p) =>
    edit(inputs[name], p.dtype, (at, old) => value(at, old, p));

/** The numbers from 0 to n − 1 in an order that is drawn. */
export function permutation(n: number, below: Below): number[] {
  const left = Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: n }, () => left.splice(below(left.length), 1)[0] ?? 0);
}

/** A whole number that is not 0: where 0 is expected, something that was never written passes. */
export const nonZero = (x: number): number => (x < 0 ? x : x + 1);

/** 1 or −1. */
export const sign = (below: Below): number => 2 * below(2) - 1;

/** Lengths in an order that is drawn: which sequence is the short one is no part of any claim. */
export const shuffledLengths: Adjust = (inputs, { batch }, below) => {
  const { kv_lengths: lengths } = inputs;
  if (lengths === undefined) return;
  const drawn = permutation(batch, below).map((b) => lengths.get(b));
  inputs.kv_lengths = tensorOf<number>(drawn, [batch]);
};

const start = (sizes: readonly number[], n: number): number =>
  sizes.slice(0, n).reduce((a, b) => a + b, 0);

/** Which rank a position belongs to. */
export function rankOf(sizes: readonly number[], position: number): number {
  return sizes.findIndex((size, n) => position < start(sizes, n) + size);
}
