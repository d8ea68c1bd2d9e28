/**
 * Elements whose rounding is still open, and what of a case must be computed to close them.
 *
 * An element of out, lse and dQ belongs to a query row, one of dK and dV to a key; the sums dBias,
 * dSink, dY, dW_K and dW_V to all rows or keys that they sum.
 * @module
 */

import { isGradient, type OutputName } from '../case/case.ts';
import { kvHead } from '../case/heads.ts';
import type { RowChoice } from '../definition/attention.ts';
import type { Choice } from '../definition/gradients.ts';
import type { Problem } from '../definition/lift.ts';
import { flatOf, indexOf } from '../numbers/tensor.ts';

/** Flat positions of the open elements of each output. */
export type OpenElements = Map<OutputName, number[]>;

export const openCount = (open: OpenElements): number =>
  [...open.values()].reduce((sum, list) => sum + list.length, 0);

/** The part of a problem that says which rows and keys there are and who sees whom. */
type Layout = Pick<Problem<unknown>, 'parameters' | 'visible'>;

/** Marks on rows [B, Hq, Sq] and keys [B, Hkv, Skv]. */
interface Marks {
  readonly row: (b: number, h: number, i: number) => void;
  readonly dK: (b: number, g: number, j: number) => void;
  readonly dV: (b: number, g: number, j: number) => void;
}

function range(extent: number, only: number | undefined): number[] {
  return only === undefined ? Array.from({ length: extent }, (_, n) => n) : [only];
}

/** Every row (or key) with the given coordinates; undefined = any. */
function markAll(
  mark: (b: number, h: number, i: number) => void,
  extents: readonly [number, number, number],
  [b, h, i]: readonly (number | undefined)[],
): void {
  for (const x of range(extents[0], b)) {
    for (const y of range(extents[1], h)) for (const z of range(extents[2], i)) mark(x, y, z);
  }
}

/** Marks what one element belongs to. */
function markElement(
  { parameters: p }: Layout,
  marks: Marks,
  output: OutputName,
  index: readonly number[],
  shape: readonly number[],
): void {
  const rows = [p.batch, p.heads, p.seq_q] as const;
  const keys = [p.batch, p.kv_heads, p.seq_kv] as const;
  const [first = 0, second = 0, third = 0] = index;
  switch (output) {
    case 'out':
    case 'lse':
    case 'd_q':
      marks.row(first, second, third);
      break;
    case 'd_k':
      marks.dK(first, second, third);
      break;
    case 'd_v':
      marks.dV(first, second, third);
      break;
    case 'd_y':
      markAll(marks.dK, keys, [first, undefined, second]);
      markAll(marks.dV, keys, [first, undefined, second]);
      break;
    case 'd_sink':
      markAll(marks.row, rows, [undefined, first, undefined]);
      break;
    case 'd_w_k':
    case 'd_w_v': {
      const width = (shape[1] ?? 1) / p.kv_heads;
      const mark = output === 'd_w_k' ? marks.dK : marks.dV;
      markAll(mark, keys, [undefined, Math.floor(second / width), undefined]);
      break;
    }
    case 'd_bias': {
      const skip = 4 - shape.length;
      const at = [0, 1, 2].map((axis) =>
        (shape[axis - skip] ?? 1) === 1 ? undefined : index[axis - skip],
      );
      markAll(marks.row, rows, at);
      break;
    }
  }
}

/** What must be computed for the open elements. */
export interface Work {
  /** Rows whose forward pass is needed. */
  readonly forward: RowChoice;
  /** How many rows those are. */
  readonly rows: number;
  readonly lse: boolean;
  /** Null when no gradient is open. */
  readonly backward: Choice | null;
}

/** The rows and keys that the open elements need, and the rows that those keys need. */
export function workFor(
  layout: Layout,
  open: OpenElements,
  shapes: (output: OutputName) => readonly number[],
): Work {
  const { parameters: p, visible } = layout;
  const [rowShape, keyShape] = [
    [p.batch, p.heads, p.seq_q],
    [p.batch, p.kv_heads, p.seq_kv],
  ];
  const [rows, dK, dV] = [new Set<number>(), new Set<number>(), new Set<number>()];
  const marks: Marks = {
    row: (...at) => rows.add(flatOf(rowShape, at)),
    dK: (...at) => dK.add(flatOf(keyShape, at)),
    dV: (...at) => dV.add(flatOf(keyShape, at)),
  };
  for (const [output, flats] of open) {
    const shape = shapes(output);
    for (const flat of flats) markElement(layout, marks, output, indexOf(shape, flat), shape);
  }
  const forward = new Set(rows);
  for (const flat of new Set([...dK, ...dV])) {
    const [b = 0, g = 0, j = 0] = indexOf(keyShape, flat);
    for (let h = 0; h < p.heads; h++) {
      if (kvHead(p, h) !== g) continue;
      for (let i = 0; i < p.seq_q; i++) {
        if (visible(b, h, i, j)) forward.add(flatOf(rowShape, [b, h, i]));
      }
    }
  }
  const gradients = [...open].some(([name, list]) => isGradient(name) && list.length > 0);
  return {
    forward: (...at) => forward.has(flatOf(rowShape, at)),
    rows: forward.size,
    lse: (open.get('lse')?.length ?? 0) > 0,
    backward: gradients
      ? {
          row: (...at) => rows.has(flatOf(rowShape, at)),
          dK: (...at) => dK.has(flatOf(keyShape, at)),
          dV: (...at) => dV.has(flatOf(keyShape, at)),
        }
      : null,
  };
}
