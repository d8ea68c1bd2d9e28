/**
 * What stands between queries and keys: masks, bias and dropout of a block pair.
 *
 * Built anew for every pair that is computed and forgotten after it; nothing is kept over the pairs
 * of a whole sequence. What a case does not have is not built.
 * @module
 */
import type { AttentionCase, CaseParameters } from '../reference/case/case.ts';
import { type Visibility, visibility } from '../reference/case/mask.ts';
import { broadcastGet, type Tensor, zeros } from '../reference/numbers/tensor.ts';
import type { Device, Pairs, Real } from './device/device.ts';
import { startOf } from './wire.ts';

/** A block pair by its places in the case. */
export interface PairPlace {
  /** First head and number of heads. */
  readonly head: number;
  readonly heads: number;
  /** Places in the whole sequences, in the order in which they lie in the block. */
  readonly rows: readonly number[];
  readonly keys: readonly number[];
}

/** Places of the elements of blocks in their sequence. */
export function placesOf(sizes: readonly number[], blocks: readonly number[]): number[] {
  return blocks.flatMap((block) => {
    const start = startOf(sizes, block);
    return Array.from({ length: sizes[block] ?? 0 }, (_, n) => start + n);
  });
}

/** The media positions of a travelled block as the case's own tensor, at their global rows. */
function mediaTensor(p: CaseParameters, rows: readonly number[], mediaText: Real): Tensor {
  const tensor = zeros([p.batch, p.seq_q]);
  for (let b = 0; b < p.batch; b++) {
    rows.forEach((row, i) => {
      tensor.set(b, row, mediaText[b * rows.length + i] ?? 0);
    });
  }
  return tensor;
}

/** Calls `visit` with each pair's flat index in [batch, heads, rows, keys] and its place. */
function forEachPair(
  batch: number,
  { head, heads, rows, keys }: PairPlace,
  visit: (pair: number, b: number, h: number, i: number, j: number) => void,
): void {
  let pair = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = head; h < head + heads; h++) {
      for (const i of rows) for (const j of keys) visit(pair++, b, h, i, j);
    }
  }
}

/** Whether anything but the extents decides who sees whom. */
function hasMask({ parameters: p, inputs }: Pick<AttentionCase, 'parameters' | 'inputs'>): boolean {
  const given = inputs.mask !== undefined || inputs.kv_lengths !== undefined;
  // A bias of −∞ masks; whether there is one is known only by looking at it.
  const bound = p.causal !== 'none' || p.window !== null || p.media !== null;
  return given || bound || inputs.bias !== undefined;
}

/**
 * Block pairs (query block, key block) of a case in which nobody sees anybody: a schedule need not
 * compute them. Looks at every pair of the case.
 */
export function emptyPairs(attentionCase: AttentionCase): (block: number, keys: number) => boolean {
  const { parameters: p, inputs } = attentionCase;
  const { batch, partition } = p;
  const visible = visibility(attentionCase);
  // Only these tell one head from another.
  const heads = inputs.mask === undefined && inputs.bias === undefined ? 1 : p.heads;
  const blocks = (sizes: readonly number[]) => sizes.map((_, block) => placesOf(sizes, [block]));
  const [rows, columns] = [blocks(partition.q), blocks(partition.kv)];
  const seen = rows.map((own) =>
    columns.map((keys) => {
      for (let b = 0; b < batch; b++) {
        for (let h = 0; h < heads; h++) {
          if (own.some((i) => keys.some((j) => visible(b, h, i, j)))) return true;
        }
      }
      return false;
    }),
  );
  return (block, keys) => seen[block]?.[keys] !== true;
}

/** Masks, bias and dropout factor of a block pair; null for what the case does not have. */
export function pairsOf(
  device: Pick<Device, 'make'>,
  { parameters: p, inputs }: Pick<AttentionCase, 'parameters' | 'inputs'>,
  place: PairPlace,
  mediaText: Real,
): Pairs {
  const { bias, dropout_keep: keep } = inputs;
  const count = p.batch * place.heads * place.rows.length * place.keys.length;
  const media = p.media === null ? {} : { media_text: mediaTensor(p, place.rows, mediaText) };
  const visible: Visibility | null = hasMask({ parameters: p, inputs })
    ? visibility({ parameters: p, inputs: { ...inputs, ...media }, judging: 'structured' })
    : null;
  const pairs = {
    visible: visible === null ? null : device.make(count),
    bias: bias === undefined ? null : device.make(count),
    kappa: keep === undefined ? null : device.make(count).fill(1),
  };
  const kept = 1 / (1 - p.dropout_rate);
  if (visible === null && bias === undefined && keep === undefined) return pairs;
  forEachPair(p.batch, place, (pair, b, h, i, j) => {
    if (visible !== null) {
      if (!visible(b, h, i, j)) return;
      if (pairs.visible !== null) pairs.visible[pair] = 1;
    }
    if (bias !== undefined && pairs.bias !== null) {
      pairs.bias[pair] = broadcastGet(bias, [b, h, i, j]);
    }
    if (keep !== undefined && pairs.kappa !== null) {
      pairs.kappa[pair] = kept * broadcastGet(keep, [b, h, i, j]);
    }
  });
  return pairs;
}
