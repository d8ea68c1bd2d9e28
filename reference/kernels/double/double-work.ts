/**
 * What a backward pass in double-double is asked for.
 * @module
 */

import type { HeadRows } from '../walk/head-rows.ts';
import type { DoubleRows, DoubleSums } from './double-sums.ts';

/** Told dS of a tile of pairs of (b, h): high, low and error, tiles of row length PAIR_STRIDE. */
export type DoubleScoreListener = (
  at: readonly [number, number],
  rows: readonly number[],
  keys: readonly number[],
  planes: readonly [Float64Array, Float64Array, Float64Array],
) => void;

export interface DoubleWork {
  readonly b: number;
  readonly g: number;
  /** Query positions; `results` and `deltas` are [rows]. */
  readonly rows: HeadRows;
  readonly results: DoubleRows;
  /** dLSE − D */
  readonly deltas: DoubleSums;
  /** At most DOUBLE_RANGE key positions, of `keyCount` in all. */
  readonly keys: readonly number[];
  readonly keyCount: number;
  /** Sums of dRaw·K so far, without the factor scale, [rows, d]; null = not wanted. */
  readonly dQ: DoubleSums | null;
  /** dK and dV of the keys of this range, from `offset` keys on in [B, Hkv, keyCount, ·]. */
  readonly dK: DoubleSums | null;
  readonly dV: DoubleSums | null;
  readonly offset: number;
  readonly onScores: DoubleScoreListener | null;
}

export interface DoubleBackwardTask
  extends Pick<DoubleWork, 'rows' | 'results' | 'deltas' | 'dQ' | 'dK' | 'dV'> {
  readonly kind: 'backward';
  readonly keys: readonly number[];
  /** Of how many keys these are some, and whether dQ has seen all of them after this task. */
  readonly keyCount: number;
  readonly last: boolean;
  /** What pairs may lose near zero: of each KV head the most, and the sum over its ranges of keys. */
  readonly lost: { readonly most: Float64Array; readonly sum: Float64Array };
}
