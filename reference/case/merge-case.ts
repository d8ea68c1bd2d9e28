/**
 * The merge of partial results as a case: the fields that it has, and the same question asked as
 * attention over its parts. spec (22), (27)
 *
 * A row's parts stand where keys do: LSE_p is the score of part p, O_p its value, and a part of no
 * keys (LSE −∞) is one that is not there. So whatever answers for attention answers for merges.
 * @module
 */
import { elementCount, type Tensor, tensorOf, toFlat, zeros } from '../numbers/tensor.ts';
import type { AttentionCase, CaseParameters, Dtype, InputName } from './case.ts';

export const isMerge = ({ op }: { readonly op?: unknown }): boolean => op === 'merge';

/** What a merge's `case.json` holds; of the other fields of a case it does not speak. */
export const MERGE_FIELDS = [
  'schema',
  'id',
  'op',
  'dtype',
  'batch',
  'heads',
  'seq_q',
  'head_dim_v',
  'wants',
] as const satisfies readonly (keyof CaseParameters)[];

/** LSEs are sums, and come in the format of sums, whatever format O is stored in. */
export const lseDtype = (dtype: Dtype): 'f64' | 'f32' => (dtype === 'f64' ? 'f64' : 'f32');

/** Untrusted fields of a merge of so many parts, those that it does not speak of made plain. */
export function mergeFields(given: object, parts: number): Record<string, unknown> {
  const fields = given as Readonly<Record<string, unknown>>;
  const plain = { softcap: 0, causal: 'none', window: null, media: null, dropout_rate: 0 };
  const first = typeof fields.seq_q === 'number' ? fields.seq_q : 0;
  return {
    ...fields,
    ...{ kv_heads: fields.heads, seq_kv: parts, head_dim: 1, dim_y: undefined, scale: 1, ...plain },
    partition: {
      ranks: parts,
      q: Array.from({ length: parts }, (_, rank) => (rank === 0 ? first : 0)),
      kv: Array.from({ length: parts }, () => 1),
    },
  };
}

/** The fields of `case.json`: of a merge, those that mean something. */
export function writtenFields(parameters: CaseParameters): Partial<CaseParameters> {
  if (!isMerge(parameters)) return parameters;
  return Object.fromEntries(MERGE_FIELDS.map((name) => [name, parameters[name]]));
}

function inputOf({ inputs }: AttentionCase, name: InputName): Tensor {
  const tensor = inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  return tensor;
}

/** [parts, rows, width] → [rows, parts, width] */
function byRow(tensor: Tensor, parts: number, width: number): Float64Array {
  const flat = toFlat(tensor);
  const rows = flat.length / (parts * width);
  const turned = new Float64Array(flat.length);
  for (let part = 0; part < parts; part++) {
    for (let row = 0; row < rows; row++) {
      const from = (part * rows + row) * width;
      const to = (row * parts + part) * width;
      for (let c = 0; c < width; c++) turned[to + c] = flat[from + c] ?? Number.NaN;
    }
  }
  return turned;
}

/**
 * The merge as attention: each row a batch entry of one query, its parts the keys, one a rank. `out` is
 * [rows, 1, 1, dv] and `lse` [rows, 1, 1], in the order of the merge's own.
 */
export function partsAsKeys(merge: AttentionCase): AttentionCase {
  const { op: _, ...parameters } = merge.parameters;
  const { batch, heads, seq_q, seq_kv: parts, head_dim_v: width } = parameters;
  const rows = elementCount([batch, heads, seq_q]);
  const { ranks, kv } = parameters.partition;
  const q = Array.from({ length: ranks }, (__, rank) => (rank === 0 ? 1 : 0));
  return {
    parameters: {
      ...{ ...parameters, batch: rows, heads: 1, kv_heads: 1, seq_q: 1, scale: 0 },
      partition: { ranks, q, kv },
    },
    inputs: {
      q: zeros([rows, 1, 1, 1]),
      k: zeros([rows, 1, parts, 1]),
      v: tensorOf<number>(byRow(inputOf(merge, 'outs'), parts, width), [rows, 1, parts, width]),
      bias: tensorOf<number>(byRow(inputOf(merge, 'lses'), parts, 1), [rows, 1, 1, parts]),
    },
    judging: merge.judging,
  };
}
