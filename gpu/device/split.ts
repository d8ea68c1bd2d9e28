/**
 * Blocks too large for one kernel, cut into parts that are not, and their results put together.
 *
 * Cuts are where the memory lies in one piece: between KV heads first, which changes no bit, since
 * nothing is summed across them; then between query heads of a group, then between rows. dK and dV
 * of parts that share a KV head are added.
 * @module
 */
import type { Block, Data, Real } from './device.ts';

/** A block with its numbers at hand. */
export interface Plain extends Omit<Block, 'q' | 'k' | 'v'> {
  readonly q: Real;
  readonly k: Real;
  readonly v: Real;
}

export const plainBlock = (block: Block, real: (data: Data) => Real): Plain => ({
  ...block,
  q: real(block.q),
  k: real(block.k),
  v: real(block.v),
});

/** What belongs to rows, beside the queries. */
interface RowData {
  readonly dOut: Real;
  readonly lse: Real;
  readonly delta: Real;
}

export interface Part {
  readonly block: Plain;
  /** First row of the whole, counted over [batch, heads, rows]; first KV head over [batch, kvHeads]. */
  readonly row: number;
  readonly kvHead: number;
  readonly rowsOf: (data: RowData) => RowData;
}

/** A part of `rows` rows of each of `heads` heads (all rows where more than one), within one KV head. */
function partOf(whole: Plain, kvHead: number, row: number, heads: number, rows: number): Part {
  const { headDim, headDimV, keys } = whole;
  const count = heads * rows;
  const pairs = (values: Real | null): Real | null =>
    values === null ? null : values.subarray(row * keys, (row + count) * keys);
  const ofRows = (values: Real, width: number): Real =>
    values.subarray(row * width, (row + count) * width);
  const ofKeys = (values: Real, width: number): Real =>
    values.subarray(kvHead * keys * width, (kvHead + 1) * keys * width);
  return {
    block: {
      ...whole,
      batch: 1,
      heads,
      kvHeads: 1,
      rows,
      q: ofRows(whole.q, headDim),
      k: ofKeys(whole.k, headDim),
      v: ofKeys(whole.v, headDimV),
      visible: pairs(whole.visible),
      bias: pairs(whole.bias),
      kappa: pairs(whole.kappa),
    },
    row,
    kvHead,
    rowsOf: ({ dOut, lse, delta }) => ({
      dOut: ofRows(dOut, headDimV),
      lse: ofRows(lse, 1),
      delta: ofRows(delta, 1),
    }),
  };
}

/**
 * Parts of fewer than `limit` pairs each; the block itself where it has fewer. A single row of more
 * keys than that stays whole, for whoever runs it to refuse.
 */
export function splitBlock(whole: Plain, limit: number): Part[] {
  const { batch, heads, kvHeads, rows, keys } = whole;
  if (batch * heads * rows * keys < limit) {
    return [{ block: whole, row: 0, kvHead: 0, rowsOf: (data) => data }];
  }
  const group = heads / kvHeads;
  const parts: Part[] = [];
  for (let kvHead = 0; kvHead < batch * kvHeads; kvHead++) {
    const first = kvHead * group * rows;
    if (group * rows * keys < limit) {
      parts.push(partOf(whole, kvHead, first, group, rows));
      continue;
    }
    const most = Math.max(1, Math.min(rows, Math.ceil(limit / Math.max(1, keys)) - 1));
    for (let h = 0; h < group; h++) {
      for (let i = 0; i < rows; i += most) {
        parts.push(partOf(whole, kvHead, first + h * rows + i, 1, Math.min(most, rows - i)));
      }
    }
  }
  return parts;
}

type Make = (length: number) => Float32Array;

/** O and LSE of the whole. */
export function combineForward(
  { batch, heads, rows, headDimV }: Plain,
  parts: readonly Part[],
  done: readonly { out: Float32Array; lse: Float32Array }[],
  make: Make,
): { out: Float32Array; lse: Float32Array } {
  const [only] = done;
  if (done.length === 1 && only !== undefined) return only;
  const all = batch * heads * rows;
  const whole = { out: make(all * headDimV), lse: make(all) };
  done.forEach(({ out, lse }, n) => {
    const row = parts[n]?.row ?? 0;
    whole.out.set(out, row * headDimV);
    whole.lse.set(lse, row);
  });
  return whole;
}

interface Gradients {
  readonly dQ: Float32Array;
  readonly dK: Float32Array;
  readonly dV: Float32Array;
  readonly dS: Float32Array | null;
}

function addAt(sum: Float32Array, values: Float32Array, start: number): void {
  for (let n = 0; n < values.length; n++) {
    sum[start + n] = (sum[start + n] ?? 0) + (values[n] ?? 0);
  }
}

/** dQ, dK, dV and dS of the whole. */
export function combineBackward(
  { batch, heads, kvHeads, rows, keys, headDim, headDimV, bias }: Plain,
  parts: readonly Part[],
  done: readonly Gradients[],
  make: Make,
): Gradients {
  const [only] = done;
  if (done.length === 1 && only !== undefined) return only;
  const all = batch * heads * rows;
  const allKeys = batch * kvHeads * keys;
  const whole = {
    dQ: make(all * headDim),
    dK: make(allKeys * headDim),
    dV: make(allKeys * headDimV),
    dS: bias === null ? null : make(all * keys),
  };
  done.forEach(({ dQ, dK, dV, dS }, n) => {
    const { row = 0, kvHead = 0 } = parts[n] ?? {};
    whole.dQ.set(dQ, row * headDim);
    if (dS !== null) whole.dS?.set(dS, row * keys);
    addAt(whole.dK, dK, kvHead * keys * headDim);
    addAt(whole.dV, dV, kvHead * keys * headDimV);
  });
  return whole;
}
