/**
 * Device: the arithmetic of one rank, on one block of queries and one block of keys.
 *
 * All arrays are flat and row-major. Rows are ordered [batch, heads, rows], keys
 * [batch, kv_heads, keys], pairs [batch, heads, rows, keys]. An invisible pair is never touched: a
 * NaN in its key or value cannot leak. A row that sees no key gives O = 0, LSE = −∞. spec (9)
 * @module
 */

/** The element type a device computes in: Float32Array on GPU.js, Float64Array in the reference. */
export type Real = Float32Array | Float64Array;

/** Extents and parameters of a block pair. */
export interface BlockShape {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Queries and keys of this pair of blocks; either may be 0. */
  readonly rows: number;
  readonly keys: number;
  readonly headDim: number;
  readonly headDimV: number;
  readonly scale: number;
  /** 0 = none. */
  readonly softcap: number;
}

/** One query block, one key block, and what stands between them. Views, never copies, of K and V. */
export interface Block extends BlockShape {
  readonly q: Real;
  readonly k: Real;
  readonly v: Real;
  /** 1 = attend, per pair. */
  readonly visible: Real;
  /** Added to the score, per pair; 0 = none. */
  readonly bias: Real;
  /** keep/(1 − rate), per pair; 1 = no dropout. */
  readonly kappa: Real;
}

/** A normalised partial result: out [batch, heads, rows, dv], lse [batch, heads, rows]. spec (22) */
export interface Partial {
  readonly out: Real;
  readonly lse: Real;
}

/** What travels to a block for its gradients. */
export interface Cotangents {
  /** [batch, heads, rows, dv] */
  readonly dOut: Real;
  /** [batch, heads, rows]: the finished LSE, and dLSE − D. */
  readonly lse: Real;
  readonly delta: Real;
}

/** One pair's share of the gradients; dS per pair, for the bias. spec (10)-(17) */
export interface BlockGradients {
  readonly dQ: Real;
  readonly dK: Real;
  readonly dV: Real;
  readonly dS: Real;
}

export interface Device {
  /** What really runs, asserted after every kernel: 'webasm', 'cpu', 'reference'. */
  readonly backend: string;
  readonly make: (length: number) => Real;
  /** Attention of a query block over one key block. */
  readonly forward: (block: Block) => Partial;
  /** Two disjoint sets of keys put together. spec (22) */
  readonly merge: (a: Partial, b: Partial, width: number) => Partial;
  /** delta = dLSE − Σ dO·O per row. spec (12) */
  readonly delta: (dOut: Real, out: Real, dLse: Real, width: number) => Real;
  readonly backward: (block: Block, cotangents: Cotangents) => BlockGradients;
  /** x + y, elementwise. */
  readonly add: (x: Real, y: Real) => Real;
  /** X[b, g, j, c] = Σ_e y[b, j, e]·w[e, g·width + c]. spec (24) */
  readonly project: (y: Real, w: Real, shape: ProjectionShape) => Real;
  /** dX Wᵀ, [batch, keys, dimY]. spec (25) */
  readonly projectFeatures: (dX: Real, w: Real, shape: ProjectionShape) => Real;
  /** Yᵀ dX, [dimY, kvHeads·width]. spec (26) */
  readonly projectWeights: (y: Real, dX: Real, shape: ProjectionShape) => Real;
}

/** Extents of a projection of visual features. */
export interface ProjectionShape {
  readonly batch: number;
  readonly kvHeads: number;
  readonly keys: number;
  readonly width: number;
  readonly dimY: number;
}
