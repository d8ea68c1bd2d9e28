/**
 * The bounds of a case under several models: the lemmas pair by pair, on rows of a head a block at a time,
 * and what goes through channels as products of matrices of magnitudes (products.ts).
 *
 * What a pair is in magnitudes is found once for all models (magnitudes.ts); each model makes weights of it,
 * one a pair (bounds.ts, bounds-backward.ts), which then meet |V|, |K|, |Q| and |dO|. Memory is that of a
 * block, of the keys of a head and of what comes out.
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { kvHead } from '../../case/heads.ts';
import { nth } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { increment } from './add.ts';
import { givenRowBound, type RowBound, rowBound } from './bounds.ts';
import { addErrors, addMagnitudes, type Sums } from './bounds-backward.ts';
import type { CertifiedCase } from './certified.ts';
import { lseAtMost } from './lse-at-most.ts';
import { fillRow } from './magnitudes.ts';
import type { Brought } from './operands.ts';
import { outErrors, weighValues } from './out-errors.ts';
import type { Row, RowMagnitudes, RowProducts } from './row-magnitudes.ts';
import type { Summed } from './summed.ts';
import {
  type BlockRoom,
  type Composing,
  type ModelBounds,
  type ModelRoom,
  newWalk,
  rowOf,
  type Walk,
} from './walk.ts';

/** Rows `start` … of head (b, h). */
interface Block {
  readonly b: number;
  readonly h: number;
  readonly start: number;
  readonly count: number;
  /** Places of its first row and of the head's first key. */
  readonly row: number;
  readonly key: number;
}

function magnitudesOf(x: Float64Array, from: number, length: number, to: Float64Array): void {
  for (let n = 0; n < length; n++) to[n] = Math.abs(nth(x, from + n));
}

const rowIn = (x: Float64Array | null, r: number, width: number): Float64Array | null =>
  x === null ? null : rowOf(x, r, width);

const sumOf = (x: Float64Array): number => x.reduce((sum, one) => sum + one, 0);

/** The magnitudes of a block's pairs. */
function fillBlock(
  { c, block, matrices, kSizes, stride }: Walk,
  { b, h, start, count, row }: Block,
): void {
  const { head_dim: d, head_dim_v: dv } = c.parameters;
  const { q, dOut } = block;
  magnitudesOf(c.q, row * d, count * d, q);
  matrices.k.dots(c.q.subarray(row * d, (row + count) * d), count, block.dot);
  matrices.kSize.dots(q, count, block.products);
  if (block.carried !== null) matrices.kRadius?.dots(q, count, block.carried);
  if (c.gradients !== null) {
    magnitudesOf(c.dOut, row * dv, count * dv, dOut);
    matrices.v.dots(c.dOut.subarray(row * dv, (row + count) * dv), count, block.gDot);
    matrices.vSize.dots(dOut, count, block.gProducts);
    if (block.gCarried !== null) matrices.vRadius?.dots(dOut, count, block.gCarried);
  }
  const keySizes = kSizes.here;
  for (let r = 0; r < count; r++) {
    const given: RowProducts = {
      ...{ dot: rowOf(block.dot, r, stride), products: rowOf(block.products, r, stride) },
      ...{ carried: rowIn(block.carried, r, stride), keySizes },
      querySize: sumOf(rowOf(q, r, d)),
      ...{ gDot: rowOf(block.gDot, r, stride), gProducts: rowOf(block.gProducts, r, stride) },
      gCarried: rowIn(block.gCarried, r, stride),
    };
    block.live[r] = fillRow(c, [b, h, start + r], given, magnitudesIn(block, r)) ? 1 : 0;
  }
}

/** What the LSE of a row of the block may be off at most under a model of which no more is asked. */
function seeLse(walk: Walk, at: Block): void {
  const { c, alsoUnder: model } = walk;
  if (model === undefined) return;
  eachLive(walk, at, (r, row) => {
    const off = lseAtMost(c, model, row, nth(c.lse.rad, at.row + r));
    walk.lseAtMost = Math.max(walk.lseAtMost, off);
  });
}

function magnitudesIn({ rows }: BlockRoom, r: number): RowMagnitudes {
  const row = rows[r];
  if (row === undefined) throw new Error(`no row ${r} in a block`);
  return row;
}

/** Calls `visit` with each row of the block that sees something. */
function eachLive(
  { block }: Walk,
  { b, h, start, count }: Block,
  visit: (r: number, row: RowMagnitudes, at: Row) => void,
): void {
  for (let r = 0; r < count; r++) {
    if (block.live[r] === 1) visit(r, magnitudesIn(block, r), [b, h, start + r]);
  }
}

/** target[at + n] += x[n] */
function addTo(target: Float64Array, at: number, x: Float64Array, length: number): void {
  for (let n = 0; n < length; n++) target[at + n] = nth(target, at + n) + nth(x, n);
}

/** Magnitudes of what the block adds to the gradients. */
function addBlockMagnitudes(walk: Walk, sums: Sums<Summed>, at: Block): void {
  const { c, block, matrices, stride } = walk;
  const { head_dim: d } = c.parameters;
  const { first, second, made } = block;
  first.fill(0);
  second.fill(0);
  eachLive(walk, at, (r, row, place) => {
    const [ofCotangent, ofOperand] = [rowOf(first, r, stride), rowOf(second, r, stride)];
    addMagnitudes(c, sums, place, row, { ofCotangent, ofOperand, terms: walk.terms });
    if (sums.d_q !== undefined)
      sums.d_q.terms.fill(row.count, (at.row + r) * d, (at.row + r + 1) * d);
  });
  walk.dV?.add(first, block.dOut, at.count);
  walk.dK?.add(second, block.q, at.count);
  if (sums.d_q === undefined) return;
  made.fill(0);
  matrices.kSize.combine(second, at.count, made);
  addTo(sums.d_q.magnitude, at.row * d, made, at.count * d);
}

const broughtIn = (
  near: number | undefined,
  x: Float64Array | null,
  r: number,
  width: number,
): Brought => ({ each: rowIn(x, r, width), all: near ?? 0 });

/** Bounds of the block's rows under one model: out and LSE. */
function boundBlock(walk: Walk, one: ModelBounds, room: ModelRoom, at: Block): void {
  const { c, block, matrices, stride } = walk;
  const { head_dim: d, head_dim_v: dv } = c.parameters;
  const { operands, model } = one;
  const { first, second, made } = block;
  const near = operands?.near ?? 0;
  if (room.carriedK !== null) room.kError?.dots(block.q, at.count, room.carriedK);
  first.fill(0);
  second.fill(0);
  made.fill(0);
  eachLive(walk, at, (r, row, place) => {
    const spread = one.spread?.here ?? null;
    const score =
      operands === null
        ? null
        : {
            carried: broughtIn(near * sumOf(rowOf(block.q, r, d)), room.carriedK, r, stride),
            spread: { each: spread, all: near * d },
          };
    const bound = boundIn(room, r);
    const given = walk.given?.(model, place);
    if (given !== undefined) {
      givenRowBound(one, score, { row, given }, bound);
      return;
    }
    rowBound(c, one, score, row, bound);
    const ofError = operands === null ? null : rowOf(second, r, stride);
    weighValues(c, model, row, bound, { ofV: rowOf(first, r, stride), ofError });
    if (ofError === null || near === 0) return;
    increment(made, r * dv, dv, near * sumOf(ofError.subarray(0, c.parameters.seq_kv)));
  });
  if (walk.given !== undefined) return;
  matrices.vSize.combine(first, at.count, made);
  room.vError?.combine(second, at.count, made);
  eachLive(walk, at, (r, row, place) => {
    const bound = boundIn(room, r);
    outErrors(c, model, operands, { at: place, row, numerator: rowOf(made, r, dv) }, bound);
    one.out.set(bound.out, (at.row + r) * dv);
    one.lseError[at.row + r] = bound.lseError;
  });
}

function boundIn({ rows }: ModelRoom, r: number): RowBound {
  const row = rows[r];
  if (row === undefined) throw new Error(`no row ${r} in a block`);
  return row;
}

/** Errors of what the block adds to the gradients, under one model. */
function addBlockErrors(walk: Walk, one: ModelBounds, room: ModelRoom, at: Block): void {
  const { c, block, matrices, stride } = walk;
  const { head_dim: d, head_dim_v: dv } = c.parameters;
  const { operands, errors } = one;
  const { first, second, third, made } = block;
  const near = operands?.near ?? 0;
  if (room.carriedV !== null) room.vError?.dots(block.dOut, at.count, room.carriedV);
  for (const weights of [first, second, third]) weights.fill(0);
  made.fill(0);
  const sizes = walk.vSizes.here;
  const total = one.made?.here ?? null;
  eachLive(walk, at, (r, row, place) => {
    const values = {
      sizes,
      carried:
        operands === null
          ? null
          : broughtIn(near * sumOf(rowOf(block.dOut, r, dv)), room.carriedV, r, stride),
      made: operands === null ? null : { each: total, all: near * dv },
    };
    const ofKeyError = operands === null ? null : rowOf(third, r, stride);
    const dError = walk.given?.(one.model, place).dError;
    addErrors(one, { at: place, row, values, dError }, boundIn(room, r), {
      ...{ ofCotangent: rowOf(first, r, stride), ofOperand: rowOf(second, r, stride), ofKeyError },
      constants: room.constants,
    });
    const beside =
      ofKeyError === null || near === 0
        ? 0
        : near * sumOf(ofKeyError.subarray(0, c.parameters.seq_kv));
    increment(made, r * d, d, room.constants.query + beside);
  });
  room.dV?.add(first, block.dOut, at.count);
  room.dK?.add(second, block.q, at.count);
  if (errors.d_q === undefined) return;
  matrices.kSize.combine(second, at.count, made);
  room.kError?.combine(third, at.count, made);
  addTo(errors.d_q, at.row * d, made, at.count * d);
}

/** Adds something of each key of a head, of which `key` is the first, to all its components. */
function addByKey(
  { seq_kv: keys }: CaseParameters,
  target: Float64Array,
  [key, width]: readonly [number, number],
  x: Float64Array,
): void {
  for (let j = 0; j < keys; j++) increment(target, (key + j) * width, width, nth(x, j));
}

/** dK and dV of a head, once its rows are added. */
function finishHead(walk: Walk, key: number): void {
  const { c, each, models, terms } = walk;
  const { head_dim: d, head_dim_v: dv } = c.parameters;
  const { d_k: dK, d_v: dV } = walk.sums ?? {};
  if (dK === undefined || dV === undefined) return;
  walk.dK?.finish(dK.magnitude, key * d);
  walk.dV?.finish(dV.magnitude, key * dv);
  addByKey(c.parameters, dK.terms, [key, d], terms);
  addByKey(c.parameters, dV.terms, [key, dv], terms);
  terms.fill(0);
  each.forEach(({ errors }, n) => {
    const room = models[n];
    if (room === undefined || errors.d_k === undefined || errors.d_v === undefined) return;
    room.dK?.finish(errors.d_k, key * d);
    room.dV?.finish(errors.d_v, key * dv);
    const { constants } = room;
    addByKey(c.parameters, errors.d_k, [key, d], constants.key);
    addByKey(c.parameters, errors.d_v, [key, dv], constants.value);
    for (const beside of [constants.key, constants.value]) beside.fill(0);
  });
}

function walkHead(walk: Walk, b: number, h: number, key: number): void {
  const { heads, seq_q } = walk.c.parameters;
  for (let start = 0; start < seq_q; start += walk.most) {
    const count = Math.min(walk.most, seq_q - start);
    const at: Block = { b, h, start, count, row: (b * heads + h) * seq_q + start, key };
    fillBlock(walk, at);
    seeLse(walk, at);
    if (walk.sums !== null) addBlockMagnitudes(walk, walk.sums, at);
    walk.each.forEach((one, n) => {
      const room = walk.models[n];
      if (room === undefined) throw new Error('a model without room');
      boundBlock(walk, one, room, at);
      if (walk.sums !== null) addBlockErrors(walk, one, room, at);
    });
  }
}

/** Brings what there is of the keys from `key` on to where rows find it. */
function enterHead(walk: Walk, key: number): void {
  const { seq_kv: keys } = walk.c.parameters;
  for (const [matrix, values, width] of walk.loads) matrix.load(values, key * width);
  const ofModels = walk.each.flatMap(({ spread, made }) => [spread, made]);
  for (const numbers of [walk.kSizes, walk.vSizes, ...ofModels]) {
    numbers?.here.set(numbers.all.subarray(key, key + keys));
  }
}

/** What each model's bounds of a case are made of, and what all have in common of the gradients. */
export interface Composed {
  readonly sums: Sums<Summed> | null;
  readonly each: readonly ModelBounds[];
  /** The largest error of an LSE, or more, under the model that no more is asked of. */
  readonly lseAtMost: number;
}

/** Every row of the case, under each model. */
export function compose(
  c: CertifiedCase,
  models: readonly ErrorModel[],
  composing: Composing = {},
): Composed {
  const walk = newWalk(c, models, composing);
  const { batch, heads, kv_heads, seq_kv } = c.parameters;
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < kv_heads; g++) {
      const key = (b * kv_heads + g) * seq_kv;
      enterHead(walk, key);
      for (let h = 0; h < heads; h++) {
        if (kvHead(c.parameters, h) === g) walkHead(walk, b, h, key);
      }
      finishHead(walk, key);
    }
  }
  return { sums: walk.sums, each: walk.each, lseAtMost: walk.lseAtMost };
}
