/**
 * A schedule is data: for every rank, an ordered list of operations on named buffers and lanes.
 *
 * A buffer is a place of a rank; it holds one thing at a time: queries, a result, keys, or
 * gradients of keys, each of certain blocks and heads. A lane is a one-place channel from one rank to
 * another, one for each kind of content: `send` puts a copy of a buffer into it and waits only while
 * it is full, `receive` waits until it is filled. Collectives (all-to-all, all-gather,
 * reduce-scatter) are made of these. Nothing here computes; interpreter.ts runs it, promela.ts makes
 * a model of it. All values are plain JSON.
 * @module
 */
import type { Partition } from '../reference/case/case.ts';

/**
 * What a buffer holds and a message carries: queries with all that is bound to their rows; a
 * result, which is {O, LSE} forward and dQ backward; keys and values; {dK, dV}.
 */
export const KINDS = ['query', 'result', 'keys', 'gradients'] as const;
export type Kind = (typeof KINDS)[number];

/** A place of a rank, by the name that its schedule gives it. */
export type BufferName = string;

export type Direction = 'forward' | 'backward';

/**
 * What a query block takes along backward beside {Q, dO, LSE}: D = dLSE − Σ dO∘O of each row, or, as
 * the paper's program, O, from which whoever computes makes D; with the cotangents of the LSE, where
 * a case has those.
 */
export type Sends = 'D' | 'O' | 'O, dLSE';

/** Heads from `from` to before `to`, out of `of`: the query heads, or those of keys and values. */
export interface HeadRange {
  readonly from: number;
  readonly to: number;
  readonly of: number;
}

/**
 * One step of one rank. `blocks` are the query blocks (of a query or a result) or the key blocks (of
 * keys or gradients) concerned, by their home ranks, in the order in which they lie.
 */
export type Operation =
  /** Load the rank's own queries; backward with their cotangents. */
  | { readonly op: 'loadQuery'; readonly into: BufferName; readonly sends?: Exclude<Sends, 'D'> }
  /** The rank's own keys and values, as they were given. */
  | { readonly op: 'loadKeys'; readonly into: BufferName }
  /** K = Y W_K, V = Y W_V, from the rank's own features. */
  | { readonly op: 'recomputeKV'; readonly into: BufferName }
  /**
   * Start the result of the queries in `like`: the empty partial, or, with `sink`, that of the sinks
   * alone; backward a zero gradient.
   */
  | {
      readonly op: 'initResult';
      readonly into: BufferName;
      readonly like: BufferName;
      readonly sink: boolean;
    }
  /** Start dK and dV of the keys in `like` from zero. */
  | { readonly op: 'initGradients'; readonly into: BufferName; readonly like: BufferName }
  | {
      readonly op: 'send';
      readonly lane: Kind;
      readonly buffer: BufferName;
      readonly to: number;
      readonly blocks: readonly number[];
    }
  | {
      readonly op: 'receive';
      readonly lane: Kind;
      readonly buffer: BufferName;
      readonly from: number;
      readonly blocks: readonly number[];
    }
  /**
   * Attention of queries over keys, into a partial result; backward their part of dQ, and their part
   * of dK and dV added to `sums`.
   */
  | {
      readonly op: 'computeBlock';
      readonly query: BufferName;
      readonly keys: BufferName;
      readonly into: BufferName;
      readonly sums: BufferName | null;
    }
  /**
   * Put a buffer into another one of the same kind, which holds the same blocks and at least its
   * heads: partial results are merged forward and added backward, gradients are added.
   */
  | { readonly op: 'merge'; readonly buffer: BufferName; readonly into: BufferName }
  /** Put several buffers' blocks behind one another, in the order given. */
  | { readonly op: 'join'; readonly buffers: readonly BufferName[]; readonly into: BufferName }
  /** Take some of a buffer's blocks. */
  | {
      readonly op: 'takeBlocks';
      readonly buffer: BufferName;
      readonly into: BufferName;
      readonly blocks: readonly number[];
    }
  /** Take the heads that query heads from `from` to before `to` need. */
  | {
      readonly op: 'takeHeads';
      readonly buffer: BufferName;
      readonly into: BufferName;
      readonly from: number;
      readonly to: number;
    }
  /** Put results or gradients of some heads among those of all heads, which are empty. */
  | { readonly op: 'padHeads'; readonly buffer: BufferName; readonly into: BufferName }
  /** Repeat keys and values for every query head that reads them. */
  | { readonly op: 'expandHeads'; readonly buffer: BufferName; readonly into: BufferName }
  /** Add up dK and dV of the query heads that share a KV head. */
  | { readonly op: 'reduceHeads'; readonly buffer: BufferName; readonly into: BufferName }
  /** A buffer is not needed any more. */
  | { readonly op: 'release'; readonly buffer: BufferName }
  /** The rank's own block is home, whole: keep its result, or its dK and dV. */
  | { readonly op: 'finish'; readonly buffer: BufferName }
  /** dY, dW_K, dW_V from this rank's dK and dV. */
  | { readonly op: 'projectGradients' };

interface Made {
  readonly name: string;
  readonly direction: Direction;
  readonly layout: Partition;
}

export interface Schedule extends Made {
  /** Operations of each rank, in order. */
  readonly ranks: readonly (readonly Operation[])[];
}

/**
 * A schedule whose lists are made piece by piece as somebody goes through them: those of a thousand
 * ranks have tens of millions of operations. A piece may be the same value at many ranks.
 */
export interface ScheduleInPieces extends Made {
  readonly piecesOf: (rank: number) => Iterable<readonly Operation[]>;
}

/** A rank's whole list. */
export function listOf({ piecesOf }: ScheduleInPieces, rank: number): Operation[] {
  const list: Operation[] = [];
  for (const piece of piecesOf(rank)) for (const operation of piece) list.push(operation);
  return list;
}
