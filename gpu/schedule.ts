/**
 * A schedule is data: for every rank, an ordered list of operations on named buffers and lanes.
 *
 * A lane is a one-place channel from each rank to its neighbour. `send` puts a copy of a buffer into
 * the channel and waits only while the channel is full; `receive` waits until it is filled. Nothing
 * here computes; interpreter.ts runs it, checkers/ inspect it. All values are plain JSON.
 * @module
 */
import type { Partition } from '../reference/case.ts';

/** Queries (and what is bound to their rows) travel ahead; partial results follow. */
export const LANES = ['query', 'result'] as const;
export type Lane = (typeof LANES)[number];

/** Two buffers per lane: one is worked on while the other is filled. */
export type Slot = 0 | 1;

export type Direction = 'forward' | 'backward';

/** One step of one rank. `block` is the query block concerned, by its home rank. */
export type Operation =
  /** Load the rank's own query block into a query slot. */
  | { readonly op: 'loadQuery'; readonly slot: Slot; readonly block: number }
  /** Start a block's result: the empty partial (or the sink's), or a zero gradient. */
  | { readonly op: 'initResult'; readonly slot: Slot; readonly block: number }
  /** K = Y W_K, V = Y W_V, from the rank's own features. */
  | { readonly op: 'recomputeKV' }
  | {
      readonly op: 'send';
      readonly lane: Lane;
      readonly slot: Slot;
      readonly to: number;
      readonly block: number;
    }
  | {
      readonly op: 'receive';
      readonly lane: Lane;
      readonly slot: Slot;
      readonly from: number;
      readonly block: number;
    }
  /** Attention, or its gradients, of a query slot against the rank's own keys; into the delta. */
  | {
      readonly op: 'computeBlock';
      readonly slot: Slot;
      readonly block: number;
      readonly keys: number;
    }
  /** Put the delta into a result slot: merge forward, add backward. */
  | { readonly op: 'merge'; readonly slot: Slot; readonly block: number }
  /** The block is home: keep its result. */
  | { readonly op: 'finish'; readonly slot: Slot; readonly block: number }
  /** dY, dW_K, dW_V from this rank's dK and dV. */
  | { readonly op: 'projectGradients' };

export interface Schedule {
  readonly name: string;
  readonly direction: Direction;
  readonly layout: Partition;
  /** Operations of each rank, in order. */
  readonly ranks: readonly (readonly Operation[])[];
}
