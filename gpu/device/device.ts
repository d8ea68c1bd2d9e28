/**
 * Device: the arithmetic of one rank, on one block of queries and one block of keys.
 *
 * All data are flat and row-major. Rows are ordered [batch, heads, rows], keys
 * [batch, kv_heads, keys], pairs [batch, heads, rows, keys]. An invisible pair is never touched: a
 * NaN in its key or value cannot leak. A row that sees no key gives O = 0, LSE = −∞. spec (9)
 *
 * Data are opaque: they may lie in a device's own memory until somebody reads them. A method may
 * answer at once or later; whoever calls it waits.
 * @module
 */

/** The element type a device computes in: Float32Array on GPU.js, Float64Array in the reference. */
export type Real = Float32Array | Float64Array;

/** Numbers on the device. Only the device that made them knows what else they are. */
export interface Data {
  /** Elements. */
  readonly length: number;
}

export type Awaitable<T> = T | Promise<T>;

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

/** What stands between queries and keys, per pair; null where the case has none of it. */
export interface Pairs {
  /** 1 = attend. */
  readonly visible: Real | null;
  /** Added to the score. */
  readonly bias: Real | null;
  /** keep/(1 − rate). */
  readonly kappa: Real | null;
}

/** One query block, one key block, and what stands between them. */
export interface Block extends BlockShape, Pairs {
  readonly q: Data;
  readonly k: Data;
  readonly v: Data;
}

/** A normalised partial result: out [batch, heads, rows, dv], lse [batch, heads, rows]. spec (22) */
export interface Partial {
  readonly out: Data;
  readonly lse: Data;
}

/** What travels to a block for its gradients. */
export interface Cotangents {
  /** [batch, heads, rows, dv] */
  readonly dOut: Data;
  /** [batch, heads, rows]: the finished LSE, and dLSE − D. */
  readonly lse: Data;
  readonly delta: Data;
}

/** One pair's share of the gradients; dS per pair where there is a bias. spec (10)-(17) */
export interface BlockGradients {
  readonly dQ: Data;
  readonly dK: Data;
  readonly dV: Data;
  readonly dS: Data | null;
}

/** Which axes of [batch, heads, rows, keys] a bias has; along the others it is one number for all. */
export type BiasAxes = readonly [boolean, boolean, boolean, boolean];

/** Extents of a projection of visual features. */
export interface ProjectionShape {
  readonly batch: number;
  readonly kvHeads: number;
  readonly keys: number;
  readonly width: number;
  readonly dimY: number;
}

/** An array seen as [outer, extent, inner]. */
export interface AxisShape {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
}

export interface Device {
  /** What really runs, asserted after every kernel: 'webasm', 'cpu', 'reference'. */
  readonly backend: string;
  /** Zeros in memory that the host can write. */
  readonly make: (length: number) => Real;
  /** Bytes of an element. */
  readonly bytesPerElement: 4 | 8;
  /** To the device and back. What was written is not changed while the device has it. */
  readonly write: (values: Real) => Data;
  readonly read: (data: Data) => Awaitable<Real>;
  /** LSEs that the host knows: −∞, or sinks. A device may hold LSEs in another form. */
  readonly writeLse: (values: Real) => Data;
  /** Data behind one another as they travel, and apart again by their lengths. */
  readonly pack: (parts: readonly Data[]) => Awaitable<Real>;
  readonly unpack: (payload: Real, lengths: readonly number[]) => Data[];
  /** Elements `from` to before `to` along the middle axis. Moves numbers, changes none. */
  readonly slice: (data: Data, shape: AxisShape, from: number, to: number) => Awaitable<Data>;
  /** Arrays of the same outer and inner extent behind one another along the middle axis. */
  readonly concat: (parts: readonly Data[], shapes: readonly AxisShape[]) => Awaitable<Data>;
  /** Attention of a query block over one key block. */
  readonly forward: (block: Block) => Awaitable<Partial>;
  /** Two disjoint sets of keys put together. spec (22) */
  readonly merge: (a: Partial, b: Partial, width: number) => Awaitable<Partial>;
  /** delta = dLSE − Σ dO·O per row. spec (12) */
  readonly delta: (dOut: Data, out: Data, dLse: Data, width: number) => Awaitable<Data>;
  readonly backward: (block: Block, cotangents: Cotangents) => Awaitable<BlockGradients>;
  /**
   * dBias + Σ dS, over the pairs that an element of the bias is added to. Pair after pair in their
   * order, so that a bias that all blocks share is one sum over all of them. spec (17)
   */
  readonly biasGradient: (
    dBias: Data,
    dS: Data,
    shape: Pick<BlockShape, 'batch' | 'heads' | 'rows' | 'keys'>,
    axes: BiasAxes,
  ) => Awaitable<Data>;
  /** dSink = Σ exp(sink − LSE)·(dLSE − D), one number a head, over batch and rows. spec (18) */
  readonly sinkGradient: (sink: Data, lse: Data, delta: Data, batch: number) => Awaitable<Data>;
  /** x + y, elementwise. */
  readonly add: (x: Data, y: Data) => Awaitable<Data>;
  /** X[b, g, j, c] = Σ_e y[b, j, e]·w[e, g·width + c]. spec (24) */
  readonly project: (y: Data, w: Data, shape: ProjectionShape) => Awaitable<Data>;
  /** dX Wᵀ, [batch, keys, dimY]. spec (25) */
  readonly projectFeatures: (dX: Data, w: Data, shape: ProjectionShape) => Awaitable<Data>;
  /** Yᵀ dX, [dimY, kvHeads·width]. spec (26) */
  readonly projectWeights: (y: Data, dX: Data, shape: ProjectionShape) => Awaitable<Data>;
}
