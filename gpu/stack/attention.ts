/**
 * The attention of a stack's layers, as an interface, and as the definition itself.
 *
 * A softmax goes over one or two sets of keys: the visual ones, the text's own (causal), or both. The
 * definition puts the sets behind one another and is plain attention over all their keys; whoever
 * computes them apart merges two partial results, and both have to agree.
 * @module
 */

import type { AttentionCase, CaseInputs, CaseParameters } from '../../reference/case/case.ts';
import { visibility } from '../../reference/case/mask.ts';
import { attention, type Forward, type RowState } from '../../reference/definition/attention.ts';
import { attentionGradients } from '../../reference/definition/gradients.ts';
import type { Problem } from '../../reference/definition/lift.ts';
import {
  block,
  elementCount,
  filled,
  forEachIndex,
  type Tensor,
} from '../../reference/numbers/tensor.ts';
import type { Data } from '../device/device.ts';
import type { Numbers } from './numbers.ts';
import type { StackInputs, StackShape } from './shape.ts';

export type KeySource = 'visual' | 'text';

/** Keys and values of one kind, a block of each rank: [B, Hkv, keys of the rank, d]. */
export interface KeySet<T> {
  readonly from: KeySource;
  readonly k: readonly Tensor<T>[];
  readonly v: readonly Tensor<T>[];
}

/** A finished block of rows: O [B, Hq, rows, d], and an LSE that only whoever made it can read. */
export interface Finished<T> {
  readonly out: Tensor<T>;
  /** [B, Hq, rows] */
  readonly lse: Data;
}

/** Gradients by rank; of the key sets, in their order. */
export interface AttentionGradients<T> {
  readonly dQ: readonly Tensor<T>[];
  readonly sets: readonly {
    readonly dK: readonly Tensor<T>[];
    readonly dV: readonly Tensor<T>[];
  }[];
}

export interface LayerAttention<T> {
  /** One softmax over all keys of the sets; q is a block of each rank, [B, Hq, rows, d]. */
  readonly forward: (
    q: readonly Tensor<T>[],
    sets: readonly KeySet<T>[],
  ) => Promise<readonly Finished<T>[]>;
  /** From what forward has finished; nothing of it is computed again. */
  readonly backward: (
    q: readonly Tensor<T>[],
    sets: readonly KeySet<T>[],
    finished: readonly Finished<T>[],
    dOut: readonly Tensor<T>[],
  ) => Promise<AttentionGradients<T>>;
}

/** A case's parameters for the queries of a stack over one set of its keys. */
export function parametersOf(s: StackShape, from: KeySource): CaseParameters {
  const text = from === 'text';
  const { ranks, q, kv } = s.partition;
  return {
    schema: 1,
    id: 'stack',
    dtype: 'f64',
    batch: s.batch,
    heads: s.heads,
    kv_heads: s.kv_heads,
    seq_q: s.seq_q,
    seq_kv: text ? s.seq_q : s.seq_kv,
    head_dim: s.head_dim,
    head_dim_v: s.head_dim,
    scale: s.scale,
    softcap: 0,
    causal: text ? 'top-left' : 'none',
    window: null,
    media: text ? null : s.media,
    dropout_rate: 0,
    wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'],
    partition: { ranks, q: [...q], kv: text ? [...q] : [...kv] },
  };
}

/** What masks the keys of a set. */
export function masksOf<T>(
  s: StackShape,
  { mediaText, mediaKey }: Pick<StackInputs<T>, 'mediaText' | 'mediaKey'>,
  from: KeySource,
): Pick<AttentionCase, 'parameters' | 'inputs'> {
  const parameters = parametersOf(s, from);
  const inputs: CaseInputs = {};
  if (parameters.media !== null && mediaText !== null && mediaKey !== null) {
    inputs.media_text = mediaText;
    inputs.media_key = mediaKey;
  }
  return { parameters, inputs };
}

/** The row states of the definition, as something that is held. */
class RowStates<T> implements Data {
  readonly rows: Forward<T>['rows'];
  constructor(rows: Tensor<RowState<T>>) {
    this.rows = rows;
  }
  get length(): number {
    return elementCount(this.rows.shape);
  }
}

/** Tensors behind one another along the keys. */
function behind<T>(zero: T, parts: readonly Tensor<T>[]): Tensor<T> {
  const [first] = parts;
  if (first === undefined) throw new RangeError('"sets" expected at least one, got none');
  const [batch = 0, heads = 0, , width = 0] = first.shape;
  const lengths = parts.map(({ shape }) => shape[2] ?? 0);
  const whole = filled<T>([batch, heads, lengths.reduce((a, b) => a + b, 0), width], zero);
  let start = 0;
  for (const [n, part] of parts.entries()) {
    const from = start;
    forEachIndex(part.shape, ([b = 0, h = 0, j = 0, c = 0]) => {
      whole.set(b, h, from + j, c, part.get(b, h, j, c));
    });
    start += lengths[n] ?? 0;
  }
  return whole;
}

const only = <V>(blocks: readonly V[]): V => {
  const [one, ...others] = blocks;
  if (one === undefined || others.length > 0) {
    throw new RangeError(`the definition expected one rank, got ${blocks.length}`);
  }
  return one;
};

/** Undistributed attention by the definition, over any number system. */
export function definedAttention<T>(
  { arithmetic }: Numbers<T>,
  s: StackShape,
  media: Pick<StackInputs<T>, 'mediaText' | 'mediaKey'>,
): LayerAttention<T> {
  const { zero, fromNumber } = arithmetic;
  const rules = {
    text: visibility({ ...masksOf(s, media, 'text'), judging: 'structured' }),
    visual: visibility({ ...masksOf(s, media, 'visual'), judging: 'structured' }),
  };
  const problemOf = (
    q: Tensor<T>,
    sets: readonly KeySet<T>[],
    dOut: Tensor<T> | null,
  ): Problem<T> => {
    const k = behind(
      zero,
      sets.map((set) => only(set.k)),
    );
    const v = behind(
      zero,
      sets.map((set) => only(set.v)),
    );
    // Which set a key is of, and its place there.
    const places = sets.flatMap(({ from, k: blocks }) =>
      Array.from({ length: only(blocks).shape[2] ?? 0 }, (_, j) => ({ from, j })),
    );
    return {
      arithmetic,
      parameters: { ...parametersOf(s, 'visual'), seq_kv: places.length },
      visible: (b, h, i, j) => {
        const place = places[j];
        return place !== undefined && rules[place.from](b, h, i, place.j);
      },
      ...{ q, k, v, scale: fromNumber(s.scale), softcap: zero },
      ...{ bias: null, sink: null, dropout: null, features: null },
      dOut: dOut ?? filled<T>(q.shape, zero),
      dLse: filled<T>(q.shape.slice(0, 3), zero),
    };
  };
  return {
    forward: async (q, sets) => {
      const { out, rows } = attention(problemOf(only(q), sets, null));
      return [{ out, lse: new RowStates(rows) }];
    },
    backward: async (q, sets, finished, dOut) => {
      const { out, lse } = only(finished);
      if (!(lse instanceof RowStates)) throw new TypeError('the definition expected its own LSE');
      const problem = problemOf(only(q), sets, only(dOut));
      const { dQ, dK, dV } = attentionGradients(problem, { out, rows: lse.rows });
      let start = 0;
      const ofSets = sets.map((set) => {
        const [from, length] = [start, only(set.k).shape[2] ?? 0];
        start += length;
        return { dK: [block(dK, 2, from, length)], dV: [block(dV, 2, from, length)] };
      });
      return { dQ: [dQ], sets: ofSets };
    },
  };
}
