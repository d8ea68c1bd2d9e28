/**
 * The reference device: block attention in float64, loops in the shape of their formulas.
 * @module
 */
import { exp, log, tanh } from '../../reference/arithmetic/float64.ts';
import type {
  Block,
  BlockGradients,
  Cotangents,
  Device,
  Partial,
  ProjectionShape,
  Real,
} from './device.ts';

const at = (array: Real, index: number): number => array[index] ?? 0;
const make = (length: number): Float64Array => new Float64Array(length);

/** Score and softcap slope of a visible pair. spec (2)-(4), (14) */
function score(block: Block, row: number, key: number, pair: number): { s: number; slope: number } {
  const { headDim, scale, softcap } = block;
  let dot = 0;
  for (let c = 0; c < headDim; c++)
    dot += at(block.q, row * headDim + c) * at(block.k, key * headDim + c);
  const raw = scale * dot;
  const t = softcap === 0 ? 0 : tanh(raw / softcap);
  const s = softcap === 0 ? raw : softcap * t;
  return { s: s + at(block.bias, pair), slope: 1 - t * t };
}

/** Visible pairs of a row: pair index, key index in [batch, kv_heads, keys]. */
function* visiblePairs(block: Block, row: number): Generator<{ pair: number; key: number }> {
  const { heads, kvHeads, rows, keys } = block;
  const group = heads / kvHeads;
  const firstKey = Math.floor(Math.floor(row / rows) / group) * keys;
  for (let j = 0; j < keys; j++) {
    const pair = row * keys + j;
    if (at(block.visible, pair) !== 0) yield { pair, key: firstKey + j };
  }
}

function forwardRow(block: Block, row: number, out: Real, lse: Real): void {
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
    const weight = ((weights[n] ?? 0) * at(block.kappa, pair)) / l;
    for (let c = 0; c < width; c++) {
      out[row * width + c] = at(out, row * width + c) + weight * at(block.v, key * width + c);
    }
  });
  lse[row] = m + log(l);
}

function forward(block: Block): Partial {
  const rows = block.batch * block.heads * block.rows;
  const [out, lse] = [make(rows * block.headDimV), make(rows)];
  for (let row = 0; row < rows; row++) forwardRow(block, row, out, lse);
  return { out, lse };
}

function merge(a: Partial, b: Partial, width: number): Partial {
  const rows = a.lse.length;
  const [out, lse] = [make(rows * width), make(rows)];
  for (let row = 0; row < rows; row++) {
    const [x, y] = [at(a.lse, row), at(b.lse, row)];
    const m = Math.max(x, y);
    const empty = m === Number.NEGATIVE_INFINITY;
    const [wA, wB] = empty ? [0, 0] : [exp(x - m), exp(y - m)];
    lse[row] = empty ? m : m + log(wA + wB);
    for (let c = row * width; c < (row + 1) * width; c++) {
      out[c] = empty ? 0 : (wA * at(a.out, c) + wB * at(b.out, c)) / (wA + wB);
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

function backwardRow(
  block: Block,
  cotangents: Cotangents,
  row: number,
  sums: BlockGradients,
): void {
  const { headDim, headDimV, scale } = block;
  const { dQ, dK, dV, dS } = sums;
  for (const { pair, key } of visiblePairs(block, row)) {
    const { s, slope } = score(block, row, key, pair);
    const p = exp(s - at(cotangents.lse, row));
    const kappa = at(block.kappa, pair);
    let dP = 0;
    for (let c = 0; c < headDimV; c++) {
      const [d, v] = [row * headDimV + c, key * headDimV + c];
      dP += at(cotangents.dOut, d) * at(block.v, v);
      dV[v] = at(dV, v) + p * kappa * at(cotangents.dOut, d);
    }
    const gradient = p * (kappa * dP + at(cotangents.delta, row));
    dS[pair] = gradient;
    for (let c = 0; c < headDim; c++) {
      const [x, y] = [row * headDim + c, key * headDim + c];
      dQ[x] = at(dQ, x) + scale * gradient * slope * at(block.k, y);
      dK[y] = at(dK, y) + scale * gradient * slope * at(block.q, x);
    }
  }
}

function backward(block: Block, cotangents: Cotangents): BlockGradients {
  const { batch, heads, kvHeads, rows, keys, headDim, headDimV } = block;
  const sums = {
    dQ: make(batch * heads * rows * headDim),
    dK: make(batch * kvHeads * keys * headDim),
    dV: make(batch * kvHeads * keys * headDimV),
    dS: make(batch * heads * rows * keys),
  };
  for (let row = 0; row < batch * heads * rows; row++) backwardRow(block, cotangents, row, sums);
  return sums;
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

/** The reference device, float64. */
export function referenceDevice(): Device {
  return {
    backend: 'reference',
    make,
    forward,
    merge,
    delta,
    backward,
    add: (x, y) => make(x.length).map((_, n) => at(x, n) + at(y, n)),
    project,
    projectFeatures,
    projectWeights,
  };
}
