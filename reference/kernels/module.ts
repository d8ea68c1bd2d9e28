/**
 * The WebAssembly module of the kernels, and tiles of its memory.
 *
 * One instance per thread, and one for the features. Code that needs tiles lays them out anew each time: what another user
 * left in the memory is gone, and so nobody may hold a tile across a call to somebody else.
 * @module
 */
import { entry } from '../numbers/nth.ts';
import { WASM_BASE64 } from './binary.ts';
import type { RowFunctions } from './row-functions.ts';

/** What assembly/index.ts exports; addresses are bytes, sizes are elements. */
export interface KernelFunctions extends RowFunctions {
  expMany(from: number, to: number, count: number): void;
  expEights(at: number, count: number): void;
  logMany(from: number, to: number, count: number): void;
  tanhMany(from: number, to: number, count: number): void;
  packRows(source: number, panel: number, rows: number, depth: number, stride: number): void;
  packColumns(source: number, panel: number, depth: number, columns: number, stride: number): void;
  multiply(
    a: number,
    b: number,
    c: number,
    rows: number,
    columns: number,
    depth: number,
    stride: number,
    accumulate: boolean,
  ): void;
  addProduct(
    a: number,
    turned: boolean,
    b: number,
    c: number,
    rows: number,
    columns: number,
    depth: number,
    stride: number,
  ): void;
  columnMaxima(source: number, to: number, rows: number, width: number): void;
  rowSquares(source: number, to: number, rows: number, width: number): number;
  addOuter(
    to: number,
    weights: number,
    step: number,
    values: number,
    rows: number,
    width: number,
  ): void;
  softmaxTile(
    s: number,
    bias: number,
    keep: number,
    rows: number,
    columns: number,
    stride: number,
    scale: number,
    softcap: number,
    state: number,
    out: number,
    size: number,
    maxima: number,
    width: number,
  ): void;
  finishSums(
    values: number,
    errors: number,
    count: number,
    scale: number,
    factor: number,
    lost: number,
    outward: boolean,
  ): void;
  finishOutput(
    values: number,
    sizes: number,
    errors: number,
    count: number,
    l: number,
    slope: number,
    numerator: number,
    lost: number,
    relative: number,
    kappa: number,
    kappaError: number,
  ): void;
  factorials(at: number): void;
  slice(
    high: number,
    low: number,
    laneStep: number,
    step: number,
    lanes: number,
    depth: number,
    to: number,
    sliceBytes: number,
  ): number;
  multiplySlices(
    a: number,
    aBytes: number,
    b: number,
    bBytes: number,
    rows: number,
    columns: number,
    depth: number,
    stride: number,
    high: number,
    low: number,
  ): void;
  doubleSoftmax(
    high: number,
    low: number,
    bias: number,
    keep: number,
    rows: number,
    columns: number,
    stride: number,
    state: number,
    constants: number,
    short: boolean,
  ): void;
  doubleGradient(
    sHigh: number,
    sLow: number,
    dpHigh: number,
    dpLow: number,
    bias: number,
    keep: number,
    rows: number,
    columns: number,
    stride: number,
    facts: number,
    constants: number,
    byRow: number,
    byColumn: number,
    slope: number,
    scores: number,
    plane: number,
  ): void;
  gradientTile(
    s: number,
    dp: number,
    bias: number,
    keep: number,
    errorTile: number,
    rows: number,
    columns: number,
    stride: number,
    scale: number,
    softcap: number,
    kappa: number,
    facts: number,
    byRow: number,
    byColumn: number,
    slope: number,
  ): void;
}

/** Doubles in the memory of the kernels. */
export interface Tile {
  /** Byte address, a multiple of 16. */
  readonly at: number;
  readonly view: Float64Array;
}

export interface KernelModule {
  readonly run: KernelFunctions;
  /** Zeroed tiles of the given numbers of doubles; all earlier ones are void. */
  readonly layOut: <K extends string>(sizes: Readonly<Record<K, number>>) => Record<K, Tile>;
}

const PAGE = 65536;
/** The functions' own room is below this address. */
const FIRST = 1024;

/** The part of the WebAssembly interface used here; the project's library of types has no browser. */
declare const WebAssembly: {
  readonly Memory: new (limits: {
    initial: number;
  }) => {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: Record<string, unknown> };
};

function bytes(): Uint8Array<ArrayBuffer> {
  const text = atob(WASM_BASE64);
  const decoded = new Uint8Array(text.length);
  for (let n = 0; n < text.length; n++) decoded[n] = text.charCodeAt(n);
  return decoded;
}

function instantiate(): KernelModule {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const module = new WebAssembly.Module(bytes());
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const layOut = <K extends string>(sizes: Readonly<Record<K, number>>): Record<K, Tile> => {
    const names = Object.keys(sizes) as K[];
    const starts: number[] = [];
    let end = FIRST;
    for (const name of names) {
      starts.push(end);
      end += Math.ceil(sizes[name] / 2) * 16;
    }
    const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE);
    if (missing > 0) memory.grow(missing);
    new Uint8Array(memory.buffer, FIRST, end - FIRST).fill(0);
    const tiles = {} as Record<K, Tile>;
    names.forEach((name, n) => {
      const at = entry(starts, n);
      tiles[name] = { at, view: new Float64Array(memory.buffer, at, sizes[name]) };
    });
    return tiles;
  };
  return { run: exports as unknown as KernelFunctions, layOut };
}

let instance: KernelModule | null = null;
let another: KernelModule | null = null;

/** This thread's instance. */
export function kernelModule(): KernelModule {
  instance ??= instantiate();
  return instance;
}

/** One with a memory of its own, for what is computed while `kernelModule` holds tiles: features.ts. */
export function featureModule(): KernelModule {
  another ??= instantiate();
  return another;
}
