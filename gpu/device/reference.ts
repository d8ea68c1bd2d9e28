/**
 * The reference device: block attention in float64, loops in the shape of their formulas.
 * @module
 */
import { exp, log, tanh } from '../../reference/arithmetic/float64.ts';
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

/** Score and softcap slope of a visible pair. spec (2)-(4), (14) */
function score(block: Plain, row: number, key: number, pair: number): { s: number; slope: number } {
  const { headDim, scale, softcap, bias } = block;
  let dot = 0;
  for (let c = 0; c < headDim; c++)
    dot += at(block.q, row * headDim + c) * at(block.k, key * headDim + c);
  const raw = scale * dot;
  const t = softcap === 0 ? 0 : tanh(raw / softcap);
  const s = softcap === 0 ? raw : softcap * t;
  return { s: s + (bias === null ? 0 : at(bias, pair)), slope: 1 - t * t };
}

/** Visible pairs of a row: pair index, key index in [batch, kv_heads, keys]. */
function* visiblePairs(block: Plain, row: number): Generator<{ pair: number; key: number }> {
  const { heads, kvHeads, rows, keys, visible } = block;
  const group = heads / kvHeads;
  const firstKey = Math.floor(Math.floor(row / rows) / group) * keys;
  for (let j = 0; j < keys; j++) {
    const pair = row * keys + j;
    if (visible === null || at(visible, pair) !== 0) yield { pair, key: firstKey + j };
  }
}

function forwardRow(block: Plain, row: number, out: Real, lse: Real): void {
  const width = block.headDimV;
  const pairs = [...visiblePairs(block, row)];
  const scores = pairs.map(({ pair, key }) => score(block, row, key, pair).s);
  const m = scores.reduce((max, s) => Math.max(max, s), Number.NEGATIVE_INFINITY);
  if (pairs.length === 0) {
    lse[row] = Number.NEGATIVE_INFINITY;
    return;
  }
  const weights = scores.map((s) => exp(s - m));
  const l = weights.reduce((sum, weight) => sum + weight, 0);
  pairs.forEach(({ pair, key }, n) => {
    const weight = ((weights[n] ?? 0) * kappaOf(block, pair)) / l;
    for (let c = 0; c < width; c++) {
      out[row * width + c] = at(out, row * width + c) + weight * at(block.v, key * width + c);
    }
  });
  lse[row] = m + log(l);
}

function forward(given: Block): Partial {
  const block = plain(given);
  const rows = block.batch * block.heads * block.rows;
  const [out, lse] = [make(rows * block.headDimV), make(rows)];
  for (let row = 0; row < rows; row++) forwardRow(block, row, out, lse);
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

function backwardRow(
  block: Plain,
  cotangents: Record<keyof Cotangents, Real>,
  row: number,
  sums: Sums,
): void {
  const { headDim, headDimV, scale } = block;
  const { dQ, dK, dV, dS } = sums;
  for (const { pair, key } of visiblePairs(block, row)) {
    const { s, slope } = score(block, row, key, pair);
    const p = exp(s - at(cotangents.lse, row));
    const kappa = kappaOf(block, pair);
    let dP = 0;
    for (let c = 0; c < headDimV; c++) {
      const [d, v] = [row * headDimV + c, key * headDimV + c];
      dP += at(cotangents.dOut, d) * at(block.v, v);
      dV[v] = at(dV, v) + p * kappa * at(cotangents.dOut, d);
    }
    const gradient = p * (kappa * dP + at(cotangents.delta, row));
    if (dS !== null) dS[pair] = gradient;
    for (let c = 0; c < headDim; c++) {
      const [x, y] = [row * headDim + c, key * headDim + c];
      dQ[x] = at(dQ, x) + scale * gradient * slope * at(block.k, y);
      dK[y] = at(dK, y) + scale * gradient * slope * at(block.q, x);
    }
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
  for (let row = 0; row < batch * heads * rows; row++) backwardRow(block, held, row, sums);
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
