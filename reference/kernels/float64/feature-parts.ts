/**
 * How the work on the features is divided: their columns into slabs, one a unit; the keys into parts, whose
 * dK and dV are held at a time, and a part's into blocks.
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { entry } from '../../numbers/nth.ts';
import type { KernelProblem } from '../walk/problem.ts';
import { featureReader, inputOf } from './features.ts';
import { DEPTH, type Matrix, transposed } from './matrix.ts';
import { RANGE } from './range-tiles.ts';

/** Columns of Y and of dY that are worked on at a time. */
const SLAB = 512;

/** Bytes of dK and dV with their errors that are held at a time. */
const HELD = 2 ** 24;

export const slabCount = ({ dim_y = 0 }: CaseParameters): number => Math.ceil(dim_y / SLAB);

/** Some of the chosen keys, of every batch entry. */
export interface KeyPart {
  /** Positions, and the place of the first among the `keyCount` that are chosen. */
  readonly keys: readonly number[];
  readonly first: number;
  readonly keyCount: number;
}

/** Numbers of an output with what bounds their errors, plane by plane: Sums, DoubleSums. */
type Planes<T> = { readonly [K in keyof T]: Float64Array };

const planesOf = <T extends Planes<T>>(sums: T): (keyof T)[] => Object.keys(sums) as (keyof T)[];

/** The parts of chosen keys, each a multiple of RANGE keys, or all; for so many numbers of each element. */
function partsOf(p: CaseParameters, keys: readonly number[], planes: number): KeyPart[] {
  const bytes = 8 * planes * p.batch * p.kv_heads * (p.head_dim + p.head_dim_v);
  const most = Math.max(1, Math.floor(HELD / bytes / RANGE)) * RANGE;
  return Array.from({ length: Math.ceil(keys.length / most) }, (_, n) => ({
    keys: keys.slice(n * most, (n + 1) * most),
    first: n * most,
    keyCount: keys.length,
  }));
}

/** DEPTHs that the keys of all parts are summed in, where numbers are held as `make` makes them. */
export const depthsOf = <T extends Planes<T>>(
  p: CaseParameters,
  keys: readonly number[],
  make: (length: number) => T,
): number =>
  partsOf(p, keys, planesOf(make(0)).length).reduce(
    (sum, part) => sum + Math.ceil((p.batch * part.keys.length) / DEPTH),
    0,
  );

/** Copies [heads, keys, width] of a part to their places in [heads, keyCount, width]. */
export function placePart(
  from: Float64Array,
  to: Float64Array,
  { first, keys, keyCount }: KeyPart,
  width: number,
): void {
  const size = keys.length * width;
  for (let head = 0; head * size < from.length; head++) {
    to.set(from.subarray(head * size, (head + 1) * size), (head * keyCount + first) * width);
  }
}

/**
 * Calls `visit` with each part of the keys and room for its dK and dV, [B, Hkv, part, ·], which it fills; where
 * `whole`, of all chosen keys, wants them they are copied to their places there.
 */
export function eachHeldPart<T extends Planes<T>>(
  p: CaseParameters,
  make: (length: number) => T,
  whole: { readonly keys: readonly number[]; readonly dK: T | null; readonly dV: T | null },
  visit: (part: KeyPart, dK: T, dV: T) => void,
): void {
  const names = planesOf(make(0));
  const parts = partsOf(p, whole.keys, names.length);
  const perKey = p.batch * p.kv_heads;
  const most = perKey * (parts[0]?.keys.length ?? 0);
  const [heldK, heldV] = [make(most * p.head_dim), make(most * p.head_dim_v)];
  const within = (held: T, length: number): T =>
    Object.fromEntries(names.map((name) => [name, held[name].subarray(0, length)])) as unknown as T;
  for (const part of parts) {
    const dK = within(heldK, perKey * part.keys.length * p.head_dim);
    const dV = within(heldV, perKey * part.keys.length * p.head_dim_v);
    visit(part, dK, dV);
    for (const name of names) {
      if (whole.dK !== null) placePart(dK[name], whole.dK[name], part, p.head_dim);
      if (whole.dV !== null) placePart(dV[name], whole.dV[name], part, p.head_dim_v);
    }
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
  /** [B, Hkv, keys, width] of the part to [rows, Hkv·width] of the block. */
  readonly byKey: (from: Float64Array, width: number, to: Float64Array) => Float64Array;
  /** Where the slab of a row lies in [B, keyCount, dim_y]. */
  readonly place: (row: number) => number;
}

/** Calls `visit` with the blocks of slab `n`, one after another. */
export function eachBlock(
  { parameters: p, inputs, room }: Pick<KernelProblem, 'parameters' | 'inputs' | 'room'>,
  part: KeyPart,
  n: number,
  visit: (block: FeatureBlock) => void,
): void {
  const { batch, kv_heads: heads, dim_y = 0 } = p;
  const { first: firstKey, keys, keyCount } = part;
  const count = keys.length;
  const [first, columns] = [n * SLAB, Math.min(SLAB, dim_y - n * SLAB)];
  const features = featureReader(inputOf({ inputs }, 'y'), first, columns);
  for (let start = 0; start < batch * count; start += DEPTH) {
    const rows = Math.min(DEPTH, batch * count - start);
    const batchOf = (r: number) => Math.floor((start + r) / count);
    const keyOf = (r: number) => (start + r) % count;
    const value = room('features', rows * columns);
    for (let r = 0; r < rows; r++) {
      features.row(batchOf(r), 0, entry(keys, keyOf(r)), value, r * columns);
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
      place: (r) => (batchOf(r) * keyCount + firstKey + keyOf(r)) * dim_y + first,
    });
  }
}
