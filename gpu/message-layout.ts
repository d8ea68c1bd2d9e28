/**
 * How messages are laid out: parts one behind another, their lengths known from the case.
 * @module
 */
import type { CaseParameters } from '../reference/case.ts';
import type { Device, Real } from './device/device.ts';
import type { Direction } from './schedule.ts';

/** First index of a block in its sequence. */
export function startOf(sizes: readonly number[], block: number): number {
  return sizes.slice(0, block).reduce((sum, size) => sum + size, 0);
}

/** Arrays put one behind another, and cut apart again by length. */
export function pack(make: Device['make'], parts: readonly Real[]): Real {
  const whole = make(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Views on a whole, by their lengths in order. */
export function unpack(whole: Real, lengths: readonly number[]): Real[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return whole.subarray(at - length, at);
  });
}

/** Lengths of the parts of a query message, in order: q, mediaText, then dO, LSE, delta backward. */
export function queryLengths(p: CaseParameters, rows: number, direction: Direction): number[] {
  const all = p.batch * p.heads * rows;
  const media = p.media === null ? 0 : p.batch * rows;
  const forward = [all * p.head_dim, media];
  return direction === 'forward' ? forward : [...forward, all * p.head_dim_v, all, all];
}

/** Lengths of the parts of a result message: O and LSE, or dQ. */
export function resultLengths(p: CaseParameters, rows: number, direction: Direction): number[] {
  const all = p.batch * p.heads * rows;
  return direction === 'forward' ? [all * p.head_dim_v, all] : [all * p.head_dim];
}

/** The most elements that a message of this case can have. */
export function messageCapacity(p: CaseParameters): number {
  const rows = Math.max(0, ...p.partition.q);
  const sum = (lengths: number[]): number => lengths.reduce((a, b) => a + b, 0);
  return Math.max(
    sum(queryLengths(p, rows, 'backward')),
    sum(resultLengths(p, rows, 'forward')),
    sum(resultLengths(p, rows, 'backward')),
  );
}
