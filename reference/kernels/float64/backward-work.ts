/**
 * What a backward pass is asked for, and the sums that it adds to.
 * @module
 */
import type { RowResults } from './row-blocks.ts';

/** A sum and a bound of its error, both flat. */
export interface Sums {
  readonly value: Float64Array;
  readonly error: Float64Array;
}

export const newSums = (
  length: number,
  allocate: (length: number) => Float64Array = (n) => new Float64Array(n),
): Sums => ({ value: allocate(length), error: allocate(length) });

/** A run of them. Never a copy. */
export const sumsWithin = ({ value, error }: Sums, start: number, length: number): Sums => ({
  value: value.subarray(start, start + length),
  error: error.subarray(start, start + length),
});

/** dLSE − D of each row, and its error. */
export type Deltas = Sums;

/** What a range works on and adds to. */
export interface RangeWork {
  readonly b: number;
  readonly g: number;
  /** Query positions, the same for each head; `results` and `deltas` are [B, Hq, rows]. */
  readonly rows: readonly number[];
  readonly results: RowResults;
  readonly deltas: Deltas;
  /** At most RANGE key positions, of `keyCount` in all. */
  readonly keys: readonly number[];
  readonly keyCount: number;
  /** dQ [B, Hq, rows, d], to which the range's share is added; null = not wanted. */
  readonly dQ: Sums | null;
  /** dK [keys, d] and dV [keys, dv] of this range; null = not wanted. */
  readonly dK: Sums | null;
  readonly dV: Sums | null;
  /** Errors of dK and dV as radii, rounded outward; else as they are, for sums that go on. */
  readonly final: boolean;
  /** Told dS and its error, tile by tile, row length PAIR_STRIDE; null = not wanted. */
  readonly onScores: ScoreListener | null;
}

export type ScoreListener = (
  at: readonly [b: number, h: number],
  rows: readonly number[],
  keys: readonly number[],
  dS: Float64Array,
  error: Float64Array,
  lost: number,
) => void;

export interface BackwardTask {
  readonly kind: 'backward';
  readonly rows: readonly number[];
  readonly keys: readonly number[];
  /** Of how many keys these are some. */
  readonly keyCount: number;
  readonly results: RowResults;
  readonly deltas: Deltas;
  /** [B, Hq, rows, d], [B, Hkv, keys, d], [B, Hkv, keys, dv]; null = not wanted. */
  readonly dQ: Sums | null;
  readonly dK: Sums | null;
  readonly dV: Sums | null;
  /** Errors of dK and dV as radii, rounded outward; else as they are, for sums that go on. */
  readonly final: boolean;
}
