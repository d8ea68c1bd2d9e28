/**
 * A device on exact numbers: every schedule can be held to attention with zero tolerance.
 *
 * On rationals, base 2, an LSE is held as 2^LSE, which is rational where scores are integers; on
 * power series it is held as its exponential too. −∞ is 0. Data are opaque to a rank, so nothing else
 * changes. On the way numbers travel as handles of a table of this device.
 * @module
 */
import type { Fraction } from 'mathjs';
import type { Arithmetic } from '../../reference/numbers/arithmetic.ts';
import { rational } from '../../reference/numbers/rational.ts';
import { biasPlace } from '../device/axes.ts';
import type {
  AxisShape,
  Block,
  BlockGradients,
  Cotangents,
  Data,
  Device,
  Partial,
  ProjectionShape,
} from '../device/device.ts';

/** Exact numbers beside what they round to: what a host reads, and may write. */
export class Rounded<T = Fraction> extends Float64Array {
  exact: readonly T[] = [];
}

/** Exact numbers as a host has them. */
export function roundedOf<T>({ toNumber }: Arithmetic<T>, exact: readonly T[]): Rounded<T> {
  const rounded = new Rounded<T>(exact.map(toNumber));
  rounded.exact = exact;
  return rounded;
}

class Exact<T> implements Data {
  readonly values: readonly T[];
  constructor(values: readonly T[]) {
    this.values = values;
  }
  get length(): number {
    return this.values.length;
  }
}

/** What masked keys may hold instead of a number; whoever computes with it fails. */
const POISON = Object.freeze({});

/** An arithmetic, and arrays of its numbers. */
function arraysOf<T>(arithmetic: Arithmetic<T>) {
  const { zero, fromNumber, compare } = arithmetic;
  return {
    ...arithmetic,
    isZero: (x: T): boolean => compare(x, zero) === 0,
    at: (values: readonly T[], n: number): T => values[n] ?? zero,
    zeros: (length: number): T[] => new Array<T>(length).fill(zero),
    numbersFrom: (values: ArrayLike<number>): readonly T[] =>
      values instanceof Rounded
        ? (values.exact as readonly T[])
        : Array.from(values, (x) => (Number.isFinite(x) ? fromNumber(x) : (POISON as T))),
    valuesOf: (data: Data): readonly T[] => {
      if (data instanceof Exact) return data.values as readonly T[];
      throw new TypeError('an exact device expected its own data');
    },
  };
}
type Arrays<T> = ReturnType<typeof arraysOf<T>>;

/** The exponential of s of every visible pair, and its indices. */
function forEachVisible<T>(
  { zero, add, mul, exp, fromNumber, valuesOf, at }: Arrays<T>,
  block: Block,
  visit: (row: number, key: number, pair: number, weight: T) => void,
): void {
  const { batch, heads, kvHeads, rows, keys, headDim, visible, bias } = block;
  if (block.softcap !== 0) throw new RangeError('"softcap" expected 0 on rationals');
  const [q, k, scale] = [valuesOf(block.q), valuesOf(block.k), fromNumber(block.scale)];
  const group = heads / kvHeads;
  for (let row = 0; row < batch * heads * rows; row++) {
    for (let j = 0; j < keys; j++) {
      const pair = row * keys + j;
      if (visible !== null && visible[pair] === 0) continue;
      const key = Math.floor(Math.floor(row / rows) / group) * keys + j;
      let dot = zero;
      for (let c = 0; c < headDim; c++) {
        dot = add(dot, mul(at(q, row * headDim + c), at(k, key * headDim + c)));
      }
      const biased = bias === null ? zero : fromNumber(bias[pair] ?? 0);
      visit(row, key, pair, exp(add(mul(scale, dot), biased)));
    }
  }
}

const kappaOf = <T>({ one, fromNumber }: Arrays<T>, { kappa }: Block, pair: number): T =>
  kappa === null ? one : fromNumber(kappa[pair] ?? 0);

function forward<T>(arrays: Arrays<T>, block: Block): Partial {
  const { zero, add, mul, div, valuesOf, at, zeros, isZero } = arrays;
  const { batch, heads, rows, headDimV } = block;
  const v = valuesOf(block.v);
  const all = batch * heads * rows;
  const [out, lse] = [zeros(all * headDimV), zeros(all)];
  forEachVisible(arrays, block, (row, key, pair, weight) => {
    lse[row] = add(at(lse, row), weight);
    for (let c = 0; c < headDimV; c++) {
      const term = mul(mul(weight, kappaOf(arrays, block, pair)), at(v, key * headDimV + c));
      out[row * headDimV + c] = add(at(out, row * headDimV + c), term);
    }
  });
  const normalised = out.map((o, n) => {
    const l = at(lse, Math.floor(n / headDimV));
    return isZero(l) ? zero : div(o, l);
  });
  return { out: new Exact(normalised), lse: new Exact(lse) };
}

function merge<T>(arrays: Arrays<T>, a: Partial, b: Partial, width: number): Partial {
  const { zero, add, mul, div, valuesOf, at, isZero } = arrays;
  const [outA, outB, x, y] = [a.out, b.out, a.lse, b.lse].map(valuesOf);
  const lse = (x ?? []).map((l, row) => add(l, at(y ?? [], row)));
  const out = (outA ?? []).map((o, n) => {
    const row = Math.floor(n / width);
    const [l, both] = [at(lse, row), mul(at(x ?? [], row), o)];
    const sum = add(both, mul(at(y ?? [], row), at(outB ?? [], n)));
    return isZero(l) ? zero : div(sum, l);
  });
  return { out: new Exact(out), lse: new Exact(lse) };
}

function backward<T>(arrays: Arrays<T>, block: Block, cotangents: Cotangents): BlockGradients {
  const { zero, add, mul, div, fromNumber, valuesOf, at, zeros } = arrays;
  const { batch, heads, kvHeads, rows, keys, headDim, headDimV } = block;
  const [q, k, v] = [block.q, block.k, block.v].map(valuesOf);
  const [dOut, lse, delta] = [cotangents.dOut, cotangents.lse, cotangents.delta].map(valuesOf);
  const dQ = zeros(batch * heads * rows * headDim);
  const dK = zeros(batch * kvHeads * keys * headDim);
  const dV = zeros(batch * kvHeads * keys * headDimV);
  const dS = zeros(batch * heads * rows * keys);
  const scale = fromNumber(block.scale);
  forEachVisible(arrays, block, (row, key, pair, weight) => {
    const p = div(weight, at(lse ?? [], row));
    const kappa = kappaOf(arrays, block, pair);
    let dP = zero;
    for (let c = 0; c < headDimV; c++) {
      const [d, n] = [at(dOut ?? [], row * headDimV + c), key * headDimV + c];
      dP = add(dP, mul(d, at(v ?? [], n)));
      dV[n] = add(at(dV, n), mul(mul(p, kappa), d));
    }
    const gradient = mul(p, add(mul(kappa, dP), at(delta ?? [], row)));
    dS[pair] = gradient;
    const scaled = mul(scale, gradient);
    for (let c = 0; c < headDim; c++) {
      const [m, n] = [row * headDim + c, key * headDim + c];
      dQ[m] = add(at(dQ, m), mul(scaled, at(k ?? [], n)));
      dK[n] = add(at(dK, n), mul(scaled, at(q ?? [], m)));
    }
  });
  const [a, b, c, d] = [dQ, dK, dV, dS].map((values) => new Exact(values));
  if (!a || !b || !c || !d) throw new Error('unreachable');
  return { dQ: a, dK: b, dV: c, dS: block.bias === null ? null : d };
}

/** Σ over the terms of a projection, visited as (feature, weight, projected). */
function project<T>(
  { add, at, zeros }: Arrays<T>,
  length: number,
  { batch, kvHeads, keys, width, dimY }: ProjectionShape,
  term: (y: number, w: number, x: number) => readonly [number, T],
): Data {
  const sums = zeros(length);
  for (let x = 0; x < batch * kvHeads * keys * width; x++) {
    const c = x % width;
    const j = Math.floor(x / width) % keys;
    const g = Math.floor(x / (width * keys)) % kvHeads;
    const b = Math.floor(x / (width * keys * kvHeads));
    for (let e = 0; e < dimY; e++) {
      const w = e * kvHeads * width + g * width + c;
      const [place, value] = term((b * keys + j) * dimY + e, w, x);
      sums[place] = add(at(sums, place), value);
    }
  }
  return new Exact(sums);
}

const projections = <T>(
  arrays: Arrays<T>,
): Pick<Device, 'project' | 'projectFeatures' | 'projectWeights'> => ({
  project: (y, w, s) => {
    const [ys, ws] = [arrays.valuesOf(y), arrays.valuesOf(w)];
    const length = s.batch * s.kvHeads * s.keys * s.width;
    return project(arrays, length, s, (f, n, x) => [
      x,
      arrays.mul(arrays.at(ys, f), arrays.at(ws, n)),
    ]);
  },
  projectFeatures: (dX, w, s) => {
    const [ds, ws] = [arrays.valuesOf(dX), arrays.valuesOf(w)];
    return project(arrays, s.batch * s.keys * s.dimY, s, (f, n, x) => [
      f,
      arrays.mul(arrays.at(ds, x), arrays.at(ws, n)),
    ]);
  },
  projectWeights: (y, dX, s) => {
    const [ys, ds] = [arrays.valuesOf(y), arrays.valuesOf(dX)];
    return project(arrays, s.dimY * s.kvHeads * s.width, s, (f, n, x) => [
      n,
      arrays.mul(arrays.at(ys, f), arrays.at(ds, x)),
    ]);
  },
});

const moving = <T>({ valuesOf }: Arrays<T>): Pick<Device, 'slice' | 'concat'> => ({
  slice: (data, { outer, extent, inner }: AxisShape, from, to) => {
    const values = valuesOf(data);
    const rows = Array.from({ length: outer }, (_, o) =>
      values.slice((o * extent + from) * inner, (o * extent + to) * inner),
    );
    return new Exact(rows.flat());
  },
  concat: (parts, shapes) => {
    const outer = shapes[0]?.outer ?? 0;
    const rows = Array.from({ length: outer }, (_, o) =>
      parts.flatMap((part, n) => {
        const run = (shapes[n]?.extent ?? 0) * (shapes[n]?.inner ?? 0);
        return valuesOf(part).slice(o * run, (o + 1) * run);
      }),
    );
    return new Exact(rows.flat());
  },
});

const sums = <T>({
  add,
  sub,
  mul,
  div,
  at,
  zeros,
  valuesOf,
}: Arrays<T>): Pick<Device, 'biasGradient' | 'sinkGradient' | 'add' | 'delta'> => ({
  biasGradient: (dBias, dS, shape, axes) => {
    const sum = [...valuesOf(dBias)];
    valuesOf(dS).forEach((value, pair) => {
      const place = biasPlace(shape, axes, pair);
      sum[place] = add(at(sum, place), value);
    });
    return new Exact(sum);
  },
  sinkGradient: (sink, lse, delta, batch) => {
    const sum = zeros(sink.length);
    const rows = lse.length / (batch * sink.length);
    valuesOf(lse).forEach((l, row) => {
      const h = Math.floor(row / rows) % sink.length;
      const p = div(at(valuesOf(sink), h), l);
      sum[h] = add(at(sum, h), mul(p, at(valuesOf(delta), row)));
    });
    return new Exact(sum);
  },
  add: (x, y) => new Exact(valuesOf(x).map((value, n) => add(value, at(valuesOf(y), n)))),
  delta: (dOut, out, dLse, width) => {
    const d = [...valuesOf(dLse)];
    valuesOf(dOut).forEach((value, n) => {
      const row = Math.floor(n / width);
      d[row] = sub(at(d, row), mul(value, at(valuesOf(out), n)));
    });
    return new Exact(d);
  },
});

/** A device on exact numbers, with a table of its own for what travels. */
export function exactDevice<T>(arithmetic: Arithmetic<T>): Device {
  const arrays = arraysOf(arithmetic);
  const { zero, exp, fromNumber, numbersFrom, valuesOf, at } = arrays;
  const table: T[] = [];
  return {
    backend: arithmetic.name,
    bytesPerElement: 8,
    make: (length) => new Float64Array(length),
    write: (values) => new Exact(numbersFrom(values)),
    writeLse: (values) =>
      new Exact(
        Array.from(values, (x) => (x === Number.NEGATIVE_INFINITY ? zero : exp(fromNumber(x)))),
      ),
    read: (data) => roundedOf(arithmetic, valuesOf(data)),
    pack: (parts) =>
      Float64Array.from(parts.flatMap((part) => valuesOf(part).map((x) => table.push(x) - 1))),
    unpack: (payload, lengths) => {
      let start = 0;
      return lengths.map((length) => {
        start += length;
        const handles = payload.subarray(start - length, start);
        return new Exact(Array.from(handles, (handle) => at(table, handle)));
      });
    },
    forward: (block) => forward(arrays, block),
    merge: (a, b, width) => merge(arrays, a, b, width),
    backward: (block, cotangents) => backward(arrays, block, cotangents),
    ...moving(arrays),
    ...sums(arrays),
    ...projections(arrays),
  };
}

/** A device on rationals. */
export const rationalDevice = (): Device => exactDevice(rational);
