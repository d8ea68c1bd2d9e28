/**
 * What a walk through a case takes: matrices over the keys of a head, room for a block of rows, and what it
 * adds to. composition.ts walks.
 * @module
 */

import { seesAll } from '../../case/mask.ts';
import { nth } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { type GivenRow, type ModelSteps, newRowBound, type RowBound } from './bounds.ts';
import {
  type Backward,
  gradientSteps,
  newErrors,
  newScratch,
  newSums,
  type Sums,
} from './bounds-backward.ts';
import { type CertifiedCase, upper } from './certified.ts';
import { type OperandError, operandError } from './operands.ts';
import {
  type KeyMatrix,
  type KeySums,
  kernelProducts,
  MOST_ROWS,
  type Products,
  type plainProducts,
  rowStride,
} from './products.ts';
import {
  type Row,
  type RowMagnitudes,
  type RowRoom,
  rowMagnitudes,
  rowRoom,
  type Uses,
} from './row-magnitudes.ts';
import { scoreSteps } from './score-steps.ts';
import type { Summed } from './summed.ts';

/** One model's way through a case, and what it comes to. */
export interface ModelBounds extends Backward, ModelSteps {
  readonly operands: OperandError | null;
  /** Σ_e of ΔK and of ΔV of each key, where they are recomputed. */
  readonly spread: HeadNumbers | null;
  readonly made: HeadNumbers | null;
  readonly out: Float64Array;
  readonly lseError: Float64Array;
}

/** Σ_e of each row of a [·, width] matrix. */
function rowSums(x: Float64Array, width: number): Float64Array {
  const sums = new Float64Array(x.length / width);
  for (let n = 0; n < sums.length; n++) {
    let sum = 0;
    for (let e = n * width; e < (n + 1) * width; e++) sum += Math.abs(nth(x, e));
    sums[n] = sum;
  }
  return sums;
}

/** A number of every key of the case; `here` are those of the head that is at work. */
export interface HeadNumbers {
  readonly all: Float64Array;
  readonly here: Float64Array;
}

/** Σ_e |x_e| of each row of a [·, width] matrix. */
const newHeadNumbers = (x: Float64Array, width: number, room: RowRoom): HeadNumbers => ({
  all: rowSums(x, width),
  here: room.take(room.length),
});

function newModelBounds(c: CertifiedCase, model: ErrorModel, room: RowRoom): ModelBounds {
  const { head_dim, head_dim_v } = c.parameters;
  const operands = operandError(c, model);
  const sumsOf = (x: Float64Array | null | undefined, width: number) =>
    x === null || x === undefined ? null : newHeadNumbers(x, width, room);
  return {
    ...{ c, model, operands, steps: gradientSteps(c, model) },
    scores: scoreSteps(c.parameters, model, c.bias !== null),
    spread: sumsOf(operands?.k, head_dim),
    made: sumsOf(operands?.v, head_dim_v),
    errors: c.gradients === null ? {} : newErrors(c),
    scratch: newScratch(room),
    out: new Float64Array(c.out.mid.length),
    lseError: new Float64Array(c.lse.mid.length),
  };
}

/** Matrices over the keys of the head that is at work; null where nothing is of them. */
export interface KeyMatrices {
  readonly k: KeyMatrix;
  readonly kSize: KeyMatrix;
  readonly kRadius: KeyMatrix | null;
  readonly v: KeyMatrix;
  readonly vSize: KeyMatrix;
  readonly vRadius: KeyMatrix | null;
}

/** One model's: ΔK and ΔV where they are recomputed; sums of errors for dK and dV, with what is beside. */
export interface ModelRoom {
  readonly kError: KeyMatrix | null;
  readonly vError: KeyMatrix | null;
  readonly dK: KeySums | null;
  readonly dV: KeySums | null;
  readonly constants: { query: number; readonly key: Float64Array; readonly value: Float64Array };
  /** [rows, keys]: Σ|q|ΔK and Σ|dO|ΔV. */
  readonly carriedK: Float64Array | null;
  readonly carriedV: Float64Array | null;
  readonly rows: readonly RowBound[];
}

/** Matrices [rows, keys] of a block. */
export interface BlockRoom {
  readonly dot: Float64Array;
  readonly products: Float64Array;
  readonly carried: Float64Array | null;
  readonly gDot: Float64Array;
  readonly gProducts: Float64Array;
  readonly gCarried: Float64Array | null;
  readonly first: Float64Array;
  readonly second: Float64Array;
  readonly third: Float64Array;
  readonly q: Float64Array;
  readonly dOut: Float64Array;
  readonly made: Float64Array;
  readonly rows: readonly RowMagnitudes[];
  readonly live: Uint8Array;
}

/** A walk through a case: what it reads, where it works, what it adds to. */
export interface Walk {
  readonly c: CertifiedCase;
  readonly sums: Sums<Summed> | null;
  readonly each: readonly ModelBounds[];
  readonly most: number;
  readonly kSizes: HeadNumbers;
  readonly vSizes: HeadNumbers;
  readonly matrices: KeyMatrices;
  readonly loads: readonly Load[];
  readonly models: readonly ModelRoom[];
  readonly block: BlockRoom;
  readonly dK: KeySums | null;
  readonly dV: KeySums | null;
  /** Rows that see each key of the head. */
  readonly terms: Float64Array;
  /** Length of a row of a matrix over the keys. */
  readonly stride: number;
  readonly given: GivenRows | undefined;
  readonly alsoUnder: ErrorModel | undefined;
  /** The largest that the LSE of a row so far may be off under that. */
  lseAtMost: number;
}

/** What is known of rows as a whole, where the keys of the case are not all they see. */
export type GivenRows = (model: ErrorModel, row: Row) => GivenRow;

/** Pairs of a block: what is held of them fits in a processor's caches. */
const BLOCK_PAIRS = 2 ** 15;

const rowsOfBlock = (rows: number, keys: number): number =>
  Math.max(4, Math.min(MOST_ROWS, rows, Math.floor(BLOCK_PAIRS / Math.max(1, keys))));

type Engine = typeof plainProducts;

/** What makes the products, what is given of rows, and a model of which only the largest LSE error is asked. */
export interface Composing {
  readonly engine?: Engine | undefined;
  readonly given?: GivenRows | undefined;
  readonly alsoUnder?: ErrorModel | undefined;
}

type Handing = ReturnType<typeof handing>;

/** Hands out matrices and sums one after another, in the order in which they were asked for. */
function handing({ matrices, sums }: Products) {
  let [m, s] = [0, 0];
  return {
    matrix: (): KeyMatrix => {
      const one = matrices[m++];
      if (one === undefined) throw new Error('no more matrices');
      return one;
    },
    sum: (): KeySums => {
      const one = sums[s++];
      if (one === undefined) throw new Error('no more sums');
      return one;
    },
  };
}

const usesOf = (c: CertifiedCase, models: readonly ErrorModel[]): Uses => ({
  ...{ softcap: c.parameters.softcap !== 0, bias: c.bias !== null, dropout: c.kappa !== null },
  gradients: c.gradients !== null,
  spreads: models.some(({ anchored }) => anchored),
});

function blockRoom(c: CertifiedCase, most: number, uses: Uses, room: RowRoom): BlockRoom {
  const { seq_kv, head_dim: d, head_dim_v: dv } = c.parameters;
  const { length, take } = room;
  const pairs = (): Float64Array => take(most * length);
  const [backward, recomputed] = [c.gradients !== null, c.features !== null];
  const [products, gProducts] = [pairs(), backward ? pairs() : take(0)];
  const all = seesAll(c.attentionCase);
  const own = (r: number) => ({
    products: rowOf(products, r, length),
    gProducts: backward ? rowOf(gProducts, r, length) : gProducts,
  });
  return {
    ...{ dot: pairs(), products, carried: recomputed ? pairs() : null },
    ...{ gDot: backward ? pairs() : gProducts, gProducts },
    gCarried: backward && recomputed ? pairs() : null,
    ...{ first: pairs(), second: pairs(), third: pairs() },
    ...{ q: take(most * d), dOut: take(most * dv), made: take(most * Math.max(d, dv)) },
    rows: Array.from({ length: most }, (_, r) =>
      rowMagnitudes(seq_kv, uses, room, all ? own(r) : null),
    ),
    live: new Uint8Array(most),
  };
}

/** Row r of a matrix. */
export const rowOf = (x: Float64Array, r: number, width: number): Float64Array =>
  x.subarray(r * width, (r + 1) * width);

/** Matrices and sums of a case under so many models, in the order in which they are handed out. */
function asked(c: CertifiedCase, models: number): Omit<Parameters<Engine>[0], 'numbers'> {
  const { seq_kv, head_dim: d, head_dim_v: dv } = c.parameters;
  const [backward, recomputed] = [c.gradients !== null, c.features !== null];
  const each = Array.from({ length: models + 1 }, () => [d, dv]).flat();
  return {
    keys: seq_kv,
    matrices: [d, d, dv, dv, ...(recomputed ? each : [])],
    sums: backward ? each : [],
  };
}

function roomsOf(
  c: CertifiedCase,
  models: number,
  most: number,
  hand: Handing,
  room: RowRoom,
): ModelRoom[] {
  const { seq_kv, head_dim_v, softcap } = c.parameters;
  const [backward, recomputed] = [c.gradients !== null, c.features !== null];
  const { take, length } = room;
  const pairs = (there: boolean) => (there ? take(most * length) : null);
  return Array.from({ length: models }, () => ({
    kError: recomputed ? hand.matrix() : null,
    vError: recomputed ? hand.matrix() : null,
    dK: backward ? hand.sum() : null,
    dV: backward ? hand.sum() : null,
    constants: { query: 0, key: take(length), value: take(length) },
    carriedK: pairs(recomputed),
    carriedV: pairs(recomputed && backward),
    rows: Array.from({ length: most }, () => newRowBound(seq_kv, head_dim_v, softcap !== 0, room)),
  }));
}

/** Something to load for each KV head. */
type Load = readonly [matrix: KeyMatrix, values: Float64Array, width: number];

/** What there is of a matrix that may be none. */
const loading = (matrix: KeyMatrix | null, values: Float64Array | null, width: number): Load[] =>
  matrix === null || values === null ? [] : [[matrix, values, width]];

/** How many numbers, or more, the arrays of a walk of so many models have that goes `most` rows at a time. */
function numbersOf(c: CertifiedCase, models: number, most: number): number {
  const { seq_kv, head_dim: d, head_dim_v: dv } = c.parameters;
  const stride = rowStride(seq_kv);
  const ofRow = ROW_ARRAYS + BLOCK_ARRAYS + models * (MODEL_ROW_ARRAYS + MODEL_BLOCK_ARRAYS);
  const channels = most * (d + 2 * dv + 2 * Math.max(d, dv)) + 24;
  return stride * (most * ofRow + CASE_ARRAYS + models * MODEL_ARRAYS) + channels;
}

/** Arrays of a number a key at most: of rowMagnitudes, of BlockRoom and, of each model, of newRowBound and ModelRoom. */
const [ROW_ARRAYS, BLOCK_ARRAYS, MODEL_ROW_ARRAYS, MODEL_BLOCK_ARRAYS] = [20, 9, 4, 2];
/** And of no row: of RowRoom and Walk, and of each model, of newScratch, ModelRoom and ModelBounds. */
const [CASE_ARRAYS, MODEL_ARRAYS] = [5, 7];

export function newWalk(
  c: CertifiedCase,
  models: readonly ErrorModel[],
  { engine = kernelProducts, given, alsoUnder }: Composing,
): Walk {
  const { seq_q, seq_kv, head_dim: d, head_dim_v: dv } = c.parameters;
  const [backward, recomputed] = [c.gradients !== null, c.features !== null];
  const most = rowsOfBlock(seq_q, seq_kv);
  const products = engine({
    ...asked(c, models.length),
    numbers: numbersOf(c, models.length, most),
  });
  const hand = handing(products);
  const room = rowRoom(rowStride(seq_kv), products.take, products.rows);
  const each = models.map((model) => newModelBounds(c, model, room));
  const [kUpper, vUpper] = [upper(c.k), upper(c.v)];
  const matrices: KeyMatrices = {
    ...{ k: hand.matrix(), kSize: hand.matrix(), v: hand.matrix(), vSize: hand.matrix() },
    kRadius: recomputed ? hand.matrix() : null,
    vRadius: recomputed ? hand.matrix() : null,
  };
  const [dK, dV] = backward ? [hand.sum(), hand.sum()] : [null, null];
  const rooms = roomsOf(c, models.length, most, hand, room);
  const loads = [
    ...[...loading(matrices.k, c.k.mid, d), ...loading(matrices.kSize, kUpper, d)],
    ...[...loading(matrices.v, c.v.mid, dv), ...loading(matrices.vSize, vUpper, dv)],
    ...[...loading(matrices.kRadius, c.k.rad, d), ...loading(matrices.vRadius, c.v.rad, dv)],
    ...rooms.flatMap(({ kError, vError }, n) => [
      ...loading(kError, each[n]?.operands?.k ?? null, d),
      ...loading(vError, each[n]?.operands?.v ?? null, dv),
    ]),
  ];
  const [kSizes, vSizes] = [newHeadNumbers(kUpper, d, room), newHeadNumbers(vUpper, dv, room)];
  return {
    ...{ c, each, most, matrices, loads, models: rooms, dK, dV, given, alsoUnder, kSizes, vSizes },
    lseAtMost: 0,
    sums: backward ? newSums(c) : null,
    block: blockRoom(c, most, usesOf(c, models), room),
    terms: room.take(room.length),
    stride: room.length,
  };
}
