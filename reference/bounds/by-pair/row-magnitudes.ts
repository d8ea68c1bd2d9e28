/**
 * Where the magnitudes of a row are, and what they are of. magnitudes.ts fills them. spec/bounds.md §2
 * @module
 */

import type { KernelFunctions, Tile } from '../../kernels/module.ts';
import type { Broadcast } from './certified.ts';

/** What the channels of one row and each key come to, entry j for key j; null where K or V is exact. */
export interface RowProducts {
  /** q·K, Σ|q|(|K| + rad K) and Σ|q|·rad K; Σ(|K| + rad K), and Σ|q|. */
  readonly dot: Float64Array;
  readonly products: Float64Array;
  readonly carried: Float64Array | null;
  readonly keySizes: Float64Array;
  readonly querySize: number;
  /** The same of dO and V. */
  readonly gDot: Float64Array;
  readonly gProducts: Float64Array;
  readonly gCarried: Float64Array | null;
}

/** The kernels, and where they find what a row's keys have in common and leave what they have. */
export interface RowKernels {
  readonly run: KernelFunctions;
  readonly facts: Tile;
  readonly results: Tile;
  /** Room for what a row that does not see all keys has of those it sees, one after another. */
  readonly inOrder: readonly Float64Array[];
}

/** Magnitudes of the visible keys of a row, entry n for the n-th of them; reused row after row. */
export interface RowMagnitudes {
  /** Null where the loops go in words. */
  readonly kernels: RowKernels | null;
  /** Does every row of the case see every key? */
  readonly seesAll: boolean;
  count: number;
  readonly j: Int32Array;
  /** Σ|q||k| and Σ(|q| + |k|). */
  readonly products: Float64Array;
  readonly sizes: Float64Array;
  /** |raw| at most and at least, spec (2); |c·tanh| at most, spec (3); |bias|; |s| at most. */
  readonly raw: Float64Array;
  readonly rawLeast: Float64Array;
  readonly capped: Float64Array;
  readonly bias: Float64Array;
  readonly score: Float64Array;
  /** |s − LSE| at most. */
  readonly fromLse: Float64Array;
  /** LSE − s at least; 0 where nothing is known. */
  readonly below: Float64Array;
  /** 1 for a key whose bias is lower than what the numbers here are of: LOWEST_BIAS. */
  readonly raised: Uint8Array;
  /** |tanh(raw/c)| and 1 − tanh² at most; 1 − tanh² is 1 without softcap. */
  readonly t: Float64Array;
  readonly slope: Float64Array;
  /** P and κ at most. */
  readonly p: Float64Array;
  readonly kappa: Float64Array;
  /** |G| at most, spec (11), Σ|dO||V|, and |dS| at most, spec (13). */
  readonly g: Float64Array;
  readonly gProducts: Float64Array;
  readonly dS: Float64Array;
  /** How far below those P (in the log domain), 1 − tanh² and |dS| may be at most. */
  readonly pSpread: Float64Array;
  readonly slopeSpread: Float64Array;
  readonly dSSpread: Float64Array;
  readonly uses: Uses;
  /** Of the row: |LSE|, |D|, |dLSE|, Σ|dO||O|. */
  lse: number;
  d: number;
  dLse: number;
  dProducts: number;
  /** The same of the sink, and |dS|; null without one. */
  sink: SinkMagnitudes | null;
}

export interface SinkMagnitudes {
  p: number;
  score: number;
  fromLse: number;
  below: number;
  pSpread: number;
  /** Is the sink lower than what the numbers here are of? */
  raised: boolean;
  dS: number;
}

/** Of which magnitudes a case, or a profile that it is judged at, makes use. */
export interface Uses {
  readonly softcap: boolean;
  readonly bias: boolean;
  readonly dropout: boolean;
  readonly gradients: boolean;
  /** How far below their largest some may be: Lemma Anchored. */
  readonly spreads: boolean;
}

const EVERYTHING: Uses = {
  ...{ softcap: true, bias: true, dropout: true, gradients: true, spreads: true },
};

/** Where rows with so many keys have their numbers; what no use is made of is the same for all of them. */
export interface RowRoom {
  readonly take: (length: number) => Float64Array;
  /** Of one number a key. */
  readonly length: number;
  readonly zeros: Float64Array;
  readonly ones: Float64Array;
  readonly noneRaised: Uint8Array;
  readonly kernels: RowKernels | null;
}

/** Arrays of so many numbers, one after another. */
const takeAnew = (length: number): Float64Array => new Float64Array(length);

export function rowRoom(
  length: number,
  take: RowRoom['take'] = takeAnew,
  kernels: RowKernels | null = null,
): RowRoom {
  const [zeros, ones] = [take(length), take(length).fill(1)];
  return { take, length, zeros, ones, noneRaised: new Uint8Array(length), kernels };
}

/** What rows that see every key have in the block's own matrices, and so need no room for. */
export interface RowOwn {
  readonly products: Float64Array;
  readonly gProducts: Float64Array;
}

export function rowMagnitudes(
  seqKv: number,
  uses: Uses = EVERYTHING,
  { take, length, zeros, ones, noneRaised, kernels }: RowRoom = rowRoom(seqKv),
  shared: RowOwn | null = null,
): RowMagnitudes {
  const array = (used = true, otherwise = zeros): Float64Array => (used ? take(length) : otherwise);
  const { softcap, bias, dropout, gradients, spreads } = uses;
  return {
    kernels,
    seesAll: shared !== null,
    count: 0,
    j: new Int32Array(seqKv),
    products: shared?.products ?? array(),
    sizes: array(),
    raw: array(softcap),
    rawLeast: array(softcap),
    capped: array(softcap || bias),
    bias: array(bias),
    score: array(),
    fromLse: array(),
    below: array(),
    raised: bias ? new Uint8Array(seqKv) : noneRaised,
    t: array(softcap),
    slope: array(softcap, ones),
    p: array(),
    kappa: array(dropout, ones),
    g: array(gradients),
    gProducts: shared?.gProducts ?? array(gradients),
    dS: array(gradients),
    pSpread: array(spreads),
    slopeSpread: array(spreads && softcap),
    dSSpread: array(spreads && gradients),
    uses,
    lse: 0,
    d: 0,
    dLse: 0,
    dProducts: 0,
    sink: null,
  };
}

/** The element of a broadcast tensor for (b, h, i, j). */
export function broadcastAt({ strides }: Broadcast, [b, h, i]: Row, j: number): number {
  return b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3];
}

export type Row = readonly [b: number, h: number, i: number];
