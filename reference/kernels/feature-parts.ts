/**
 * How the work on the features is divided: their columns into slabs, one a unit; the keys into parts, whose
 * dK and dV are held at a time, and a part's into blocks.
 * @module
 */
import type { CaseParameters } from '../case.ts';
import { RANGE } from './backward.ts';
import { featureReader, inputOf } from './features.ts';
import { DEPTH, type Matrix, transposed } from './matrix.ts';
import type { KernelProblem } from './problem.ts';

/** Columns of Y and of dY that are worked on at a time. */
const SLAB = 512;

/** Bytes of dK and dV with their errors that are held at a time. */
const HELD = 2 ** 24;

export const slabCount = ({ dim_y = 0 }: CaseParameters): number => Math.ceil(dim_y / SLAB);

/** Keys of a part, where `words` numbers are held of each of dK and dV: a multiple of RANGE, or all. */
export function keysOfPart(p: CaseParameters, words: number): number {
  const bytes = 8 * words * p.batch * p.kv_heads * (p.head_dim + p.head_dim_v);
  return Math.min(p.seq_kv, Math.max(1, Math.floor(HELD / bytes / RANGE)) * RANGE);
}

/** Some keys of every batch entry. */
export interface KeyPart {
  readonly first: number;
  readonly count: number;
}

/** Calls `visit` with each part of the keys. */
export function eachPart(p: CaseParameters, words: number, visit: (part: KeyPart) => void): void {
  const most = keysOfPart(p, words);
  for (let first = 0; first < p.seq_kv; first += most) {
    visit({ first, count: Math.min(most, p.seq_kv - first) });
  }
}

/** Copies [heads, count, width] of a part's keys to their places in [heads, seq_kv, width]. */
export function placePart(
  from: Float64Array,
  to: Float64Array,
  { first, count }: KeyPart,
  seqKv: number,
  width: number,
): void {
  const size = count * width;
  for (let head = 0; head * size < from.length; head++) {
    to.set(from.subarray(head * size, (head + 1) * size), (head * seqKv + first) * width);
  }
}

/** At most DEPTH keys of a part, and a slab of their features. */
export interface FeatureBlock {
  /** The slab: columns of Y from `first` on. */
  readonly first: number;
  readonly columns: number;
  /** Keys of the block. */
  readonly rows: number;
  /** Is it the first block of all keys? */
  readonly opening: boolean;
  /** The features, [columns, rows]. */
  readonly turned: Matrix;
  /** [B, Hkv, count, width] of the part to [rows, Hkv·width] of the block. */
  readonly byKey: (from: Float64Array, width: number, to: Float64Array) => Float64Array;
  /** Where the slab of a row lies in [B, Skv, dim_y]. */
  readonly place: (row: number) => number;
}

/** Calls `visit` with the blocks of slab `n`, one after another. */
export function eachBlock(
  { parameters: p, inputs, room }: Pick<KernelProblem, 'parameters' | 'inputs' | 'room'>,
  part: KeyPart,
  n: number,
  visit: (block: FeatureBlock) => void,
): void {
  const { batch, kv_heads: heads, seq_kv, dim_y = 0 } = p;
  const { first: firstKey, count } = part;
  const [first, columns] = [n * SLAB, Math.min(SLAB, dim_y - n * SLAB)];
  const features = featureReader(inputOf({ inputs }, 'y'), first, columns);
  for (let start = 0; start < batch * count; start += DEPTH) {
    const rows = Math.min(DEPTH, batch * count - start);
    const batchOf = (r: number) => Math.floor((start + r) / count);
    const keyOf = (r: number) => (start + r) % count;
    const value = room('features', rows * columns);
    for (let r = 0; r < rows; r++) {
      features.row(batchOf(r), 0, firstKey + keyOf(r), value, r * columns);
    }
    const byKey: FeatureBlock['byKey'] = (from, width, to) => {
      for (let r = 0; r < rows; r++) {
        for (let g = 0; g < heads; g++) {
          const source = ((batchOf(r) * heads + g) * count + keyOf(r)) * width;
          to.set(from.subarray(source, source + width), (r * heads + g) * width);
        }
      }
      return to;
    };
    visit({
      ...{ first, columns, rows, byKey, opening: firstKey === 0 && start === 0 },
      turned: transposed({ rows, columns, value, error: null }, room, 'features turned'),
      place: (r) => (batchOf(r) * seq_kv + firstKey + keyOf(r)) * dim_y + first,
    });
  }
}
