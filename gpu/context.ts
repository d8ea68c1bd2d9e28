/**
 * What a rank is given, and what it holds between operations.
 * @module
 */

import type { AttentionCase, CaseParameters } from '../reference/case/case.ts';
import type { BiasSums } from './bias-sums.ts';
import type { Device, Real } from './device/device.ts';
import type { Direction } from './schedule.ts';
import type { Held, Store } from './store.ts';
import type { Contribution } from './wire.ts';

/** A rank's share of a case. Arrays are views on memory that the caller owns. */
export interface Shard {
  readonly rank: number;
  readonly parameters: CaseParameters;
  /** Own rows: q [B, Hq, rows, d], dOut [B, Hq, rows, dv], dLse [B, Hq, rows], mediaText [B, rows]. */
  readonly q: Real;
  readonly dOut: Real;
  readonly dLse: Real;
  readonly mediaText: Real;
  /** Own keys: k [B, Hkv, keys, d] and v [B, Hkv, keys, dv], or y [B, keys, dim_y] and the weights. */
  readonly k: Real;
  readonly v: Real;
  readonly y: Real;
  readonly wK: Real;
  readonly wV: Real;
  /** [Hq], or empty. */
  readonly sink: Real;
  /**
   * Own rows that an earlier run has finished, as it gave them: out [B, Hq, rows, dv] and lse
   * [B, Hq, rows], for a backward pass without its forward one. Empty where there was none.
   */
  readonly out: Real;
  readonly lse: Real;
  /** What masks, biases and drops pairs, whole: mask, bias, dropout_keep, kv_lengths, media_key. */
  readonly inputs: AttentionCase['inputs'];
}

/** What is home: numbers of the rank's own block, and whose contributions are in them. */
export const HOMES = ['out', 'dQ', 'keys', 'sink', 'projected'] as const;

export type HomeName = (typeof HOMES)[number];

/** Everything a rank holds between operations. */
export interface Context {
  readonly shard: Shard;
  readonly device: Device;
  readonly store: Store;
  readonly biasSums: BiasSums | null;
  /** Query blocks, by their heads, whose dS are in dBias. */
  biasMerged: readonly Contribution[];
  direction: Direction;
  readonly home: Map<HomeName, Held>;
}
