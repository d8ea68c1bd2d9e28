/**
 * Reading a case tile by tile: rows of tensors into float64 tiles, and what masks, bias and dropout
 * say about the pairs of a tile.
 * @module
 */

import type { AttentionCase, InputName } from '../../case/case.ts';
import { masks, visibility } from '../../case/mask.ts';
import { entry, nth } from '../../numbers/nth.ts';
import { broadcastGet, broadcastStrides, isRanged, type Tensor } from '../../numbers/tensor.ts';
import { FAR_BIAS, SEES, SEES_FAR } from '../float64/radius.ts';

/** Reads rows of a [B, H, N, width] tensor; elements that are not finite become 0. */
export interface RowReader {
  readonly width: number;
  /** One row into target[at…]. */
  readonly row: (b: number, h: number, index: number, target: Float64Array, at: number) => void;
  /** `count` rows that follow one another, at once; null where that is not to be had. */
  readonly block:
    | ((b: number, h: number, first: number, count: number, target: Float64Array) => void)
    | null;
  /** Any rows, each `step` numbers after the other in target; null where row and block do as well. */
  readonly gather: Gather | null;
}

export type Gather = (
  b: number,
  h: number,
  indices: ArrayLike<number>,
  target: Float64Array,
  step: number,
) => void;

/** A reader of rows that are best read many at once. */
export const gatheringReader = (width: number, gather: Gather): RowReader => ({
  width,
  row: (b, h, index, target, at) => gather(b, h, [index], target.subarray(at, at + width), width),
  block: null,
  gather,
});

/** Elements that are not finite become 0. */
export function clean(target: Float64Array, from: number, to: number): void {
  for (let n = from; n < to; n++) {
    const x = nth(target, n);
    if (x - x !== 0) target[n] = 0;
  }
}

/** Are rows of `width` numbers, `step` apart, all finite? */
function allFinite(
  data: Float64Array,
  start: number,
  rows: number,
  step: number,
  width: number,
): boolean {
  // Two sums of zeros or NaN, side by side: one waits for each of its additions.
  let [even, odd] = [0, 0];
  for (let i = 0; i < rows; i++) {
    const end = start + i * step + width;
    for (let n = end - width; n < end; n += 2) {
      const x = nth(data, n);
      const y = n + 1 < end ? nth(data, n + 1) : 0;
      even += x - x;
      odd += y - y;
    }
  }
  return even + odd === 0;
}

/**
 * Reads rows of the last axis. Elements that are not finite belong to keys that nobody sees. They are
 * looked for in a whole head at once, where much of it will be read more than once, or in each row read.
 */
export function rowReader(tensor: Tensor, looking: 'head' | 'row' = 'head'): RowReader {
  const { data, shape, stride, offset } = tensor;
  const width = entry(shape, 3);
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = stride;
  const start = (b: number, h: number, i: number): number => offset + b * s0 + h * s1 + i * s2;
  if (s3 !== 1 || !(data instanceof Float64Array || isRanged(data))) {
    const row: RowReader['row'] = (b, h, index, target, at) => {
      for (let c = 0; c < width; c++) target[at + c] = tensor.get(b, h, index, c);
      clean(target, at, at + width);
    };
    return { width, row, block: null, gather: null };
  }
  // Asked once for a head, by the thread that reads it, so that its rows need not be looked through.
  const known = new Map<number, boolean>();
  const finite = (b: number, h: number): boolean => {
    if (isRanged(data) || looking === 'row') return false;
    const head = start(b, h, 0);
    const answer = known.get(head) ?? allFinite(data, head, entry(shape, 2), s2, width);
    known.set(head, answer);
    return answer;
  };
  const copy = (b: number, h: number, index: number, target: Float64Array): void => {
    const from = start(b, h, index);
    if (isRanged(data)) data.read(from, target);
    else target.set(data.subarray(from, from + target.length));
    if (!finite(b, h)) clean(target, 0, target.length);
  };
  return {
    width,
    row: (b, h, index, target, at) => copy(b, h, index, target.subarray(at, at + width)),
    block:
      s2 === width
        ? (b, h, first, count, target) => copy(b, h, first, target.subarray(0, count * width))
        : null,
    gather: null,
  };
}

/** Element (b, h, i, j) of a tensor that broadcasts to [B, Hq, Sq, Skv]. */
export function pairReader(tensor: Tensor): (b: number, h: number, i: number, j: number) => number {
  const { data, offset } = tensor;
  const [s0, s1, s2, s3] = broadcastStrides(tensor);
  const flat = (b: number, h: number, i: number, j: number): number =>
    offset + b * s0 + h * s1 + i * s2 + j * s3;
  // A computed storage answers to get, a typed array to an index.
  if (data instanceof Float64Array || Array.isArray(data)) {
    return (b, h, i, j) => entry(data, flat(b, h, i, j));
  }
  return (b, h, i, j) => broadcastGet(tensor, [b, h, i, j]);
}

/** What masks, bias and dropout say, pair by pair. */
export interface Pairs {
  /** True where no tile needs `scores`: everything is visible and there is no bias. */
  readonly plain: boolean;
  readonly dropout: boolean;
  /**
   * Fills `tile` [rows, stride] with the bias, −∞ where row i may not see key j and beyond the last
   * key, and where the bias is below −FAR_BIAS. The largest |bias| of the others, 0 without; −1 where nothing is
   * visible. Marks in `seeing` [rows] the rows that see a key, SEES or SEES_FAR.
   */
  readonly scores: (
    tile: Float64Array,
    at: readonly [b: number, h: number],
    rows: ArrayLike<number>,
    keys: ArrayLike<number>,
    stride: number,
    seeing?: Uint8Array,
  ) => number;
  /** Fills `tile` with 1 where the pair is kept and 0 where it is dropped. */
  readonly kept: (
    tile: Float64Array,
    at: readonly [b: number, h: number],
    rows: ArrayLike<number>,
    keys: ArrayLike<number>,
    stride: number,
  ) => void;
}

const HIDING: readonly InputName[] = ['mask', 'kv_lengths', 'media_text'];

export function pairsOf(attentionCase: AttentionCase): Pairs {
  const { parameters, inputs } = attentionCase;
  const masked =
    HIDING.some((name) => inputs[name] !== undefined) ||
    parameters.causal !== 'none' ||
    parameters.window !== null;
  // What the bias masks is seen as it is read.
  const { bias: _, ...masking } = inputs;
  const visible = visibility({ ...attentionCase, inputs: masking });
  const bias = inputs.bias === undefined ? null : pairReader(inputs.bias);
  const keep = inputs.dropout_keep === undefined ? null : pairReader(inputs.dropout_keep);
  return {
    plain: !masked && bias === null,
    dropout: keep !== null,
    scores: (tile, [b, h], rows, keys, stride, seeing) => {
      let largest = -1;
      tile.fill(Number.NEGATIVE_INFINITY);
      for (let r = 0; r < rows.length; r++) {
        const i = entry(rows, r);
        for (let c = 0; c < keys.length; c++) {
          const j = entry(keys, c);
          if (masked && !visible(b, h, i, j)) continue;
          const value = bias === null ? 0 : bias(b, h, i, j);
          if (masks(value)) continue;
          const isFar = value < -FAR_BIAS;
          if (seeing !== undefined) seeing[r] = Math.max(entry(seeing, r), isFar ? SEES_FAR : SEES);
          if (!isFar) tile[r * stride + c] = value;
          largest = Math.max(largest, isFar ? 0 : Math.abs(value));
        }
      }
      return largest;
    },
    kept: (tile, [b, h], rows, keys, stride) => {
      tile.fill(0);
      if (keep === null) return;
      for (let r = 0; r < rows.length; r++) {
        for (let c = 0; c < keys.length; c++) {
          const value = keep(b, h, entry(rows, r), entry(keys, c));
          tile[r * stride + c] = value === 0 ? 0 : 1;
        }
      }
    },
  };
}
