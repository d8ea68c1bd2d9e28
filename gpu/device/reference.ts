/**
 * The reference device: block attention in float64, loops in the shape of their formulas.
 * @module
 */
import { exp, log, tanh } from '../../reference/numbers/float64.ts';
import { biasPlace, concatAxis, packArrays, sliceAxis, unpackArrays } from './axes.ts';
import type {
  BiasAxes,
  Block,
  BlockGradients,
  BlockShape,
  Cotangents,
  Data,
  Device,
  Partial,
  ProjectionShape,
  Real,
} from './device.ts';

const at = (array: Real, index: number): number => array[index] ?? 0;
const make = (length: number): Float64Array => new Float64Array(length);

/** The numbers behind data of this device. */
function real(data: Data): Float64Array {
  if (data instanceof Float64Array) return data;
  throw new TypeError('the reference device expected its own data (Float64Array)');
}

/** A block with its numbers at hand. */
interface Plain extends Omit<Block, 'q' | 'k' | 'v'> {
  readonly q: Real;
  readonly k: Real;
  readonly v: Real;
}

const plain = (block: Block): Plain => ({
  ...block,
  q: real(block.q),
  k: real(block.k),
  v: real(block.v),
});

const kappaOf = ({ kappa }: Plain, pair: number): number => (kappa === null ? 1 : at(kappa, pair));

/** Σ x·y over `width` elements from the given places, in their order. */
function dot(x: Real, from: number, y: Real, other: number, width: number): number {
  let sum = 0;
  for (let c = 0; c < width; c++) sum += at(x, from + c) * at(y, other + c);
  return sum;
}

/** to += factor·x over `width` elements from the given places. */
function addScaled(
  [to, place]: readonly [Real, number],
  factor: number,
  [x, from]: readonly [Real, number],
  width: number,
): void {
  for (let c = 0; c < width; c++) to[place + c] = at(to, place + c) + factor * at(x, from + c);
}

/** tanh(raw/softcap), whose square is what the softcap's slope lacks to one; 0 without a softcap. */
const tanhOf = ({ softcap }: Plain, raw: number): number =>
  softcap === 0 ? 0 : tanh(raw / softcap);

/** scale·q·k of a visible pair. spec (2) */
const rawScore = ({ headDim, scale, q, k }: Plain, row: number, key: number): number =>
  scale * dot(q, row * headDim, k, key * headDim, headDim);

/** Score of a visible pair. spec (3)-(4) */
function scoreOf({ softcap, bias }: Plain, raw: number, t: number, pair: number): number {
  const s = softcap === 0 ? raw : softcap * t;
  return s + (bias === null ? 0 : at(bias, pair));
}

/** The first key that a row may see, as an index in [batch, kv_heads, keys]. */
function firstKeyOf({ heads, kvHeads, rows, keys }: Plain, row: number): number {
  return Math.floor(Math.floor(row / rows) / (heads / kvHeads)) * keys;
}

const isVisible = ({ visible }: Plain, pair: number): boolean =>
  visible === null || at(visible, pair) !== 0;

/** `weights` is room for a number a key. */
function forwardRow(block: Plain, row: number, out: Real, lse: Real, weights: Real): void {
  const { headDimV: width, keys } = block;
  const [firstKey, firstPair] = [firstKeyOf(block, row), row * keys];
  let m = Number.NEGATIVE_INFINITY;
  let seen = 0;
  for (let j = 0; j < keys; j++) {
    if (!isVisible(block, firstPair + j)) continue;
    const raw = rawScore(block, row, firstKey + j);
    const s = scoreOf(block, raw, tanhOf(block, raw), firstPair + j);
    weights[j] = s;
    m = Math.max(m, s);
    seen++;
  }
  if (seen === 0) {
    lse[row] = Number.NEGATIVE_INFINITY;
    return;
  }
  let l = 0;
  for (let j = 0; j < keys; j++) {
    if (!isVisible(block, firstPair + j)) continue;
    const weight = exp(at(weights, j) - m);
    weights[j] = weight;
    l += weight;
  }
  for (let j = 0; j < keys; j++) {
    if (!isVisible(block, firstPair + j)) continue;
    const weight = (at(weights, j) * kappaOf(block, firstPair + j)) / l;
    addScaled([out, row * width], weight, [block.v, (firstKey + j) * width], width);
  }
  lse[row] = m + log(l);
}

function forward(given: Block): Partial {
  const block = plain(given);
  const rows = block.batch * block.heads * block.rows;
  const [out, lse] = [make(rows * block.headDimV), make(rows)];
  const weights = make(block.keys);
  for (let row = 0; row < rows; row++) forwardRow(block, row, out, lse, weights);
  return { out, lse };
}

function merge(a: Partial, b: Partial, width: number): Partial {
  const [outA, outB, lseA, lseB] = [real(a.out), real(b.out), real(a.lse), real(b.lse)];
  const rows = lseA.length;
  const [out, lse] = [make(rows * width), make(rows)];
  for (let row = 0; row < rows; row++) {
    const [x, y] = [at(lseA, row), at(lseB, row)];
    const m = Math.max(x, y);
    const empty = m === Number.NEGATIVE_INFINITY;
    const [wA, wB] = empty ? [0, 0] : [exp(x - m), exp(y - m)];
    lse[row] = empty ? m : m + log(wA + wB);
    for (let c = row * width; c < (row + 1) * width; c++) {
      out[c] = empty ? 0 : (wA * at(outA, c) + wB * at(outB, c)) / (wA + wB);
    }
  }
  return { out, lse };
}

function delta(dOut: Real, out: Real, dLse: Real, width: number): Real {
  return make(dLse.length).map((_, row) => {
    let d = 0;
    for (let c = row * width; c < (row + 1) * width; c++) d += at(dOut, c) * at(out, c);
    return at(dLse, row) - d;
  });
}

interface Sums {
  readonly dQ: Real;
  readonly dK: Real;
  readonly dV: Real;
  readonly dS: Real | null;
}

/** Keys that are gone over with all rows of a head before the next ones: small enough for a cache. */
const KEYS_A_TILE = 64;

/** One row against the keys from `from` to before `to`. */
function backwardRow(
  block: Plain,
  cotangents: Record<keyof Cotangents, Real>,
  [row, from, to]: readonly [number, number, number],
  sums: Sums,
): void {
  const { headDim, headDimV, scale, keys } = block;
  const { dQ, dK, dV, dS } = sums;
  const { dOut, lse, delta } = cotangents;
  const [rowQ, rowV] = [row * headDim, row * headDimV];
  const [firstKey, firstPair] = [firstKeyOf(block, row), row * keys];
  for (let j = from; j < to; j++) {
    const pair = firstPair + j;
    if (!isVisible(block, pair)) continue;
    const [keyK, keyV] = [(firstKey + j) * headDim, (firstKey + j) * headDimV];
    const raw = rawScore(block, row, firstKey + j);
    const t = tanhOf(block, raw);
    const p = exp(scoreOf(block, raw, t, pair) - at(lse, row));
    const kappa = kappaOf(block, pair);
    const dP = dot(dOut, rowV, block.v, keyV, headDimV);
    addScaled([dV, keyV], p * kappa, [dOut, rowV], headDimV);
    const gradient = p * (kappa * dP + at(delta, row));
    if (dS !== null) dS[pair] = gradient;
    const dRaw = scale * gradient * (1 - t * t);
    addScaled([dQ, rowQ], dRaw, [block.k, keyK], headDim);
    addScaled([dK, keyK], dRaw, [block.q, rowQ], headDim);
  }
}

function backward(given: Block, cotangents: Cotangents): BlockGradients {
  const block = plain(given);
  const { batch, heads, kvHeads, rows, keys, headDim, headDimV } = block;
  const sums = {
    dQ: make(batch * heads * rows * headDim),
    dK: make(batch * kvHeads * keys * headDim),
    dV: make(batch * kvHeads * keys * headDimV),
    dS: block.bias === null ? null : make(batch * heads * rows * keys),
  };
  const held = {
    dOut: real(cotangents.dOut),
    lse: real(cotangents.lse),
    delta: real(cotangents.delta),
  };
  for (let first = 0; first < batch * heads * rows; first += rows) {
    for (let from = 0; from < keys; from += KEYS_A_TILE) {
      const to = Math.min(keys, from + KEYS_A_TILE);
      for (let i = 0; i < rows; i++) backwardRow(block, held, [first + i, from, to], sums);
    }
  }
  return sums;
}

function biasGradient(
  dBias: Real,
  dS: Real,
  shape: Pick<BlockShape, 'batch' | 'heads' | 'rows' | 'keys'>,
  axes: BiasAxes,
): Real {
  const sum = dBias.slice();
  for (let pair = 0; pair < dS.length; pair++) {
    const place = biasPlace(shape, axes, pair);
    sum[place] = at(sum, place) + at(dS, pair);
  }
  return sum;
}

function sinkGradient(sink: Real, lse: Real, delta: Real, batch: number): Real {
  const dSink = make(sink.length);
  const rows = lse.length / (batch * sink.length);
  for (let row = 0; row < lse.length; row++) {
    const h = Math.floor(row / rows) % sink.length;
    dSink[h] = at(dSink, h) + exp(at(sink, h) - at(lse, row)) * at(delta, row);
  }
  return dSink;
}

/** Calls visit(feature index, weight index, projected index) for every term of a projection. */
function forEachTerm(
  { batch, kvHeads, keys, width, dimY }: ProjectionShape,
  visit: (y: number, w: number, x: number) => void,
): void {
  for (let x = 0; x < batch * kvHeads * keys * width; x++) {
    const c = x % width;
    const j = Math.floor(x / width) % keys;
    const g = Math.floor(x / (width * keys)) % kvHeads;
    const b = Math.floor(x / (width * keys * kvHeads));
    for (let e = 0; e < dimY; e++) {
      visit((b * keys + j) * dimY + e, e * kvHeads * width + g * width + c, x);
    }
  }
}

function project(y: Real, w: Real, shape: ProjectionShape): Real {
  const projected = make(shape.batch * shape.kvHeads * shape.keys * shape.width);
  forEachTerm(shape, (f, n, x) => {
    projected[x] = at(projected, x) + at(y, f) * at(w, n);
  });
  return projected;
}

function projectFeatures(dX: Real, w: Real, shape: ProjectionShape): Real {
  const dY = make(shape.batch * shape.keys * shape.dimY);
  forEachTerm(shape, (f, n, x) => {
    dY[f] = at(dY, f) + at(dX, x) * at(w, n);
  });
  return dY;
}

function projectWeights(y: Real, dX: Real, shape: ProjectionShape): Real {
  const dW = make(shape.dimY * shape.kvHeads * shape.width);
  forEachTerm(shape, (f, n, x) => {
    dW[n] = at(dW, n) + at(y, f) * at(dX, x);
  });
  return dW;
}

const total = (parts: readonly Data[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);

/** The reference device, float64. */
export function referenceDevice(): Device {
  return {
    backend: 'reference',
    bytesPerElement: 8,
    make,
    write: real,
    read: real,
    writeLse: real,
    pack: (parts) => packArrays(parts.map(real), make(total(parts))),
    unpack: unpackArrays,
    slice: (data, shape, from, to) =>
      sliceAxis(real(data), shape, [from, to], make(shape.outer * (to - from) * shape.inner)),
    concat: (parts, shapes) => concatAxis(parts.map(real), shapes, make(total(parts))),
    forward,
    merge,
    delta: (dOut, out, dLse, width) => delta(real(dOut), real(out), real(dLse), width),
    backward,
    biasGradient: (dBias, dS, shape, axes) => biasGradient(real(dBias), real(dS), shape, axes),
    sinkGradient: (sink, lse, d, batch) => sinkGradient(real(sink), real(lse), real(d), batch),
    add: (x, y) => {
      const [a, b] = [real(x), real(y)];
      return make(a.length).map((_, n) => at(a, n) + at(b, n));
    },
    project: (y, w, shape) => project(real(y), real(w), shape),
    projectFeatures: (dX, w, shape) => projectFeatures(real(dX), real(w), shape),
    projectWeights: (y, dX, shape) => projectWeights(real(y), real(dX), shape),
  };
}
