/**
 * Validation: what makes a case well-formed. One definition, used by whatever reads or builds one.
 *
 * Every refusal is a RangeError that names the field, what was expected and what came.
 * @module
 */

import { z } from 'zod';
import { roundTo } from '../numbers/format.ts';
import { entry, nth } from '../numbers/nth.ts';
import { elementCount, forEachRun, indexOf, isRanged, type Tensor } from '../numbers/tensor.ts';
import {
  type AttentionCase,
  CAUSAL_ALIGNMENTS,
  type CaseInputs,
  type CaseParameters,
  DTYPES,
  type Dtype,
  INPUT_NAMES,
  type InputName,
  type Judging,
  MEDIA_RULES,
  OPS,
  OUTPUT_NAMES,
  type OutputName,
  wantsGradients,
} from './case.ts';
import { kvHead } from './heads.ts';
import { masks, visibility } from './mask.ts';
import { isMerge, lseDtype, mergeFields } from './merge-case.ts';
import { allFinite, place, refuse } from './refuse.ts';
import { checkMerge, checkParts, MERGED } from './validate-merge.ts';

const EXTENT_LIMIT = 2 ** 31 - 1;
/** Elements of the largest tensor in memory; keeps a mistaken case from asking for more than that. */
export const ELEMENT_LIMIT = 2 ** 30;
export const RANK_LIMIT = 4096;

const extent = z.int().min(1).max(EXTENT_LIMIT);
const extentOrZero = z.int().min(0).max(EXTENT_LIMIT);
const finite = z.number();
const bound = z.int().min(-1).max(EXTENT_LIMIT);
export const CASE_ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;

/** Each entry at most once; JSON Schema's word for it is said beside the check. */
export const distinct = <T extends z.ZodType>(entries: z.ZodArray<T>) =>
  entries
    .refine((given) => new Set(given).size === given.length, { error: 'each once' })
    .meta({ uniqueItems: true });

/** case.json as a schema, of which, with the next, the published case.schema.json is made. */
export const caseSchema = z
  .strictObject({
    schema: z.literal(1),
    id: z.string().max(200).regex(CASE_ID, 'letters, digits, _ - . and single slashes'),
    op: z.enum(OPS).optional(),
    dtype: z.enum(DTYPES),
    batch: extent,
    heads: extent,
    kv_heads: extent,
    seq_q: extent,
    seq_kv: extentOrZero,
    head_dim: extent,
    head_dim_v: extent,
    dim_y: extent.optional(),
    scale: finite,
    softcap: finite.min(0),
    causal: z.enum(CAUSAL_ALIGNMENTS),
    window: z.tuple([bound, bound]).nullable(),
    media: z.enum(MEDIA_RULES).nullable(),
    dropout_rate: finite.min(0).lt(1),
    wants: distinct(z.array(z.enum(OUTPUT_NAMES)).min(1)),
    partition: z.strictObject({
      ranks: z.int().min(1).max(RANK_LIMIT),
      q: z.array(extentOrZero),
      kv: z.array(extentOrZero),
    }),
  })
  .meta({ title: 'case.json: the parameters of one case of attention' });

/** case.json of a merge, which says no more than this; other fields of a case may stand there, and are not read. */
export const mergeSchema = caseSchema
  .partial()
  .required({
    ...{ schema: true, id: true, op: true, dtype: true, batch: true, heads: true, seq_q: true },
    ...{ head_dim_v: true, wants: true },
  })
  .extend({ wants: distinct(z.array(z.enum(['out', 'lse'])).min(1)) })
  .meta({ title: 'case.json: the parameters of one merge of partial results' });

/** The value at a path inside untrusted JSON, for the message. */
function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  );
}

function expectedBy(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return `at least ${issue.inclusive === false ? 'more than ' : ''}${issue.minimum}${issue.origin === 'array' ? ' entries' : ''}`;
    case 'too_big':
      return issue.inclusive === false ? `less than ${issue.maximum}` : `at most ${issue.maximum}`;
    case 'invalid_type':
      return issue.expected === 'int' ? 'an integer' : `a value of type ${issue.expected}`;
    case 'invalid_format':
      return 'letters, digits, _ - . and single slashes';
    default:
      return issue.message;
  }
}

function parse(parameters: unknown): CaseParameters {
  const parsed = caseSchema.safeParse(parameters);
  if (parsed.success) {
    const { dim_y, op, ...rest } = parsed.data;
    return {
      ...rest,
      ...(op === undefined ? {} : { op }),
      ...(dim_y === undefined ? {} : { dim_y }),
    };
  }
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new RangeError('"case.json" expected a case, got an invalid one');
  if (issue.code === 'unrecognized_keys') {
    throw new RangeError(`"${issue.keys[0]}" expected no field of this name, got one`);
  }
  const field = issue.path.map(String).join('.') || 'case.json';
  return refuse(field, expectedBy(issue), at(parameters, issue.path));
}

function checkPartition({ partition, seq_q, seq_kv }: CaseParameters): void {
  for (const [name, total] of [
    ['q', seq_q],
    ['kv', seq_kv],
  ] as const) {
    const sizes = partition[name];
    if (sizes.length !== partition.ranks) {
      refuse(`partition.${name}`, `one size per rank (${partition.ranks})`, sizes);
    }
    const sum = sizes.reduce((a, b) => a + b, 0);
    if (sum !== total) refuse(`partition.${name}`, `sizes that add up to ${total}`, sizes);
  }
}

/** Fields that must agree with one another. */
function checkParameters(parameters: CaseParameters): void {
  const { heads, kv_heads } = parameters;
  if (heads % kv_heads !== 0) refuse('kv_heads', `a divisor of heads (${heads})`, kv_heads);
  checkPartition(parameters);
}

/** The exact shape of each input, or null where it broadcasts to [B, Hq, Sq, Skv]. */
function shapes(p: CaseParameters): Record<InputName, number[] | null> {
  const { batch, heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y = 0 } = p;
  return {
    q: [batch, heads, seq_q, head_dim],
    k: [batch, kv_heads, seq_kv, head_dim],
    v: [batch, kv_heads, seq_kv, head_dim_v],
    d_out: [batch, heads, seq_q, head_dim_v],
    d_lse: [batch, heads, seq_q],
    bias: null,
    mask: null,
    kv_lengths: [batch],
    sink: [heads],
    dropout_keep: null,
    media_text: [batch, seq_q],
    media_key: [batch, seq_kv],
    y: [batch, seq_kv, dim_y],
    w_k: [dim_y, kv_heads * head_dim],
    w_v: [dim_y, kv_heads * head_dim_v],
    outs: [seq_kv, batch, heads, seq_q, head_dim_v],
    lses: [seq_kv, batch, heads, seq_q],
  };
}

function checkShape(p: CaseParameters, name: InputName, tensor: Tensor): void {
  const exact = shapes(p)[name];
  const got = tensor.shape;
  if (exact !== null) {
    if (got.length !== exact.length || got.some((size, n) => size !== exact[n])) {
      refuse(name, `shape ${JSON.stringify(exact)}`, got);
    }
    return;
  }
  const full = [p.batch, p.heads, p.seq_q, p.seq_kv];
  const skip = full.length - got.length;
  if (skip < 0 || got.some((size, n) => size !== 1 && size !== full[n + skip])) {
    refuse(name, `a shape that broadcasts to ${JSON.stringify(full)}`, got);
  }
}

/** Which inputs a case must have, and which it may have. */
function checkPresence(p: CaseParameters, inputs: CaseInputs): void {
  for (const name of Object.keys(inputs)) {
    if (!(INPUT_NAMES as readonly string[]).includes(name))
      throw new RangeError(`"${name}" expected no tensor of this name, got one`);
  }
  if (isMerge(p)) {
    checkMerge(p, inputs);
    return;
  }
  const recompute = p.dim_y !== undefined;
  const gradients = wantsGradients(p);
  const must: InputName[] = [
    'q',
    ...(recompute ? (['y', 'w_k', 'w_v'] as const) : (['k', 'v'] as const)),
  ];
  if (gradients) must.push('d_out');
  if (p.media !== null) must.push('media_text', 'media_key');
  if (p.dropout_rate > 0) must.push('dropout_keep');
  const mustNot: InputName[] = [
    ...(recompute ? (['k', 'v'] as const) : (['y', 'w_k', 'w_v'] as const)),
    ...MERGED,
  ];
  if (p.media === null) mustNot.push('media_text', 'media_key');
  for (const name of must) if (inputs[name] === undefined) refuse(name, 'a tensor', undefined);
  for (const name of mustNot) {
    if (inputs[name] !== undefined) refuse(name, 'no tensor in this case', inputs[name]?.shape);
  }
  checkWants(p, inputs);
}

const GRADIENT_OF: Partial<Record<OutputName, InputName>> = {
  d_bias: 'bias',
  d_sink: 'sink',
  d_y: 'y',
  d_w_k: 'w_k',
  d_w_v: 'w_v',
};

function checkWants(p: CaseParameters, inputs: CaseInputs): void {
  for (const want of p.wants) {
    const of = GRADIENT_OF[want];
    if (of !== undefined && inputs[of] === undefined) {
      refuse('wants', `"${want}" only with an input "${of}"`, want);
    }
  }
}

/** What the elements of an input may be, in words and as a test. */
function elementRule(p: CaseParameters, name: InputName): [string, (value: number) => boolean] {
  switch (name) {
    case 'mask':
    case 'dropout_keep':
      return ['0 or 1', (n) => n === 0 || n === 1];
    case 'kv_lengths':
      return [
        `an integer in 0..${p.seq_kv}`,
        (n) => Number.isInteger(n) && n >= 0 && n <= p.seq_kv,
      ];
    case 'media_text':
      return ['an integer ≥ 0', (n) => Number.isSafeInteger(n) && n >= 0];
    case 'media_key':
      return ['an integer ≥ 1', (n) => Number.isSafeInteger(n) && n >= 1];
    case 'lses': {
      const dtype = lseDtype(p.dtype);
      return [
        `a finite ${dtype} number, or -Infinity of a part without keys`,
        (x) => masks(x) || (Number.isFinite(x) && roundTo(dtype, x) === x),
      ];
    }
    case 'outs':
    case 'k':
    case 'v':
      return [`a ${p.dtype} number`, (x) => !Number.isFinite(x) || roundTo(p.dtype, x) === x];
    case 'bias':
      return [
        `a finite ${p.dtype} number, or -Infinity where the key is masked`,
        (x) => masks(x) || (Number.isFinite(x) && roundTo(p.dtype, x) === x),
      ];
    default:
      return [`a finite ${p.dtype} number`, (x) => Number.isFinite(x) && roundTo(p.dtype, x) === x];
  }
}

/** Is every element a finite number of the format? False where it takes a closer look. */
function plainly(dtype: Dtype, run: Float64Array): boolean {
  if (dtype === 'f64') return allFinite(run);
  if (dtype === 'f16') return false;
  const single = new Float32Array(1);
  const bits = new Uint32Array(single.buffer);
  for (let n = 0; n < run.length; n++) {
    const x = nth(run, n);
    single[0] = x;
    if (single[0] !== x || x - x !== 0) return false;
    // A bf16 is the upper half of an f32.
    if (dtype === 'bf16' && (entry(bits, 0) & 0xffff) !== 0) return false;
  }
  return true;
}

const STRUCTURE: readonly InputName[] = [
  'mask',
  'dropout_keep',
  'kv_lengths',
  'media_text',
  'media_key',
];

function checkElements(p: CaseParameters, name: InputName, tensor: Tensor): void {
  const [expected, holds] = elementRule(p, name);
  const real = !STRUCTURE.includes(name);
  // What is stored in the case's own format is of that format: only finiteness is left to look at.
  const dtype = name === 'lses' ? lseDtype(p.dtype) : p.dtype;
  const stored = isRanged(tensor.data) && tensor.data.format === dtype;
  if (stored && (name === 'k' || name === 'v' || name === 'outs')) return;
  forEachRun(tensor, (start, run) => {
    if (real && (stored ? allFinite(run) : plainly(dtype, run))) return;
    for (let n = 0; n < run.length; n++) {
      const value = nth(run, n);
      if (!holds(value)) refuse(place(name, tensor, start + n), expected, String(value));
    }
  });
}

/** NaN and infinities may stand in K and V only at keys that nobody attends to. spec (5) */
function checkPoison(attentionCase: AttentionCase): void {
  const { parameters, inputs } = attentionCase;
  const { heads, seq_q } = parameters;
  const visible = visibility(attentionCase);
  const attended = (b: number, g: number, j: number): boolean => {
    for (let h = 0; h < heads; h++) {
      if (kvHead(parameters, h) !== g) continue;
      for (let i = 0; i < seq_q; i++) if (visible(b, h, i, j)) return true;
    }
    return false;
  };
  for (const name of ['k', 'v'] as const) {
    const tensor = inputs[name];
    if (tensor === undefined) continue;
    forEachRun(tensor, (start, run) => {
      if (allFinite(run)) return;
      for (let n = 0; n < run.length; n++) {
        const value = nth(run, n);
        if (Number.isFinite(value)) continue;
        const [b = 0, g = 0, j = 0] = indexOf(tensor.shape, start + n);
        if (!attended(b, g, j)) continue;
        const expected = 'a finite number at a key that is attended to';
        refuse(place(name, tensor, start + n), expected, String(value));
      }
    });
  }
}

/** The fields of a case: a merge has as many parts as its tensors, one where there are none. */
function fieldsOf(parameters: unknown, inputs: CaseInputs): unknown {
  if (typeof parameters !== 'object' || parameters === null || !isMerge(parameters)) {
    return parameters;
  }
  const [parts = 1] = inputs.outs?.shape ?? [];
  if (parts < 1 || parts > RANK_LIMIT) refuse('outs', `from 1 to ${RANK_LIMIT} parts`, parts);
  return mergeFields(parameters, parts);
}

/** Untrusted parameters that make sense, or a RangeError that says what does not. */
export function validateParameters(parameters: unknown, inputs: CaseInputs = {}): CaseParameters {
  const parsed = parse(fieldsOf(parameters, inputs));
  checkParameters(parsed);
  return parsed;
}

/** A well-formed case of untrusted parameters and tensors, or a RangeError that says what is not. */
export function validateCase(
  parameters: unknown,
  inputs: CaseInputs,
  judging: Judging = 'structured',
): AttentionCase {
  const parsed = validateParameters(parameters, inputs);
  checkPresence(parsed, inputs);
  for (const name of INPUT_NAMES) {
    const tensor = inputs[name];
    if (tensor === undefined) continue;
    if (elementCount(tensor.shape) > ELEMENT_LIMIT && !isRanged(tensor.data)) {
      refuse(name, `at most ${ELEMENT_LIMIT} elements`, tensor.shape);
    }
    checkShape(parsed, name, tensor);
  }
  for (const name of INPUT_NAMES) {
    const tensor = inputs[name];
    if (tensor !== undefined) checkElements(parsed, name, tensor);
  }
  const attentionCase = { parameters: parsed, inputs, judging };
  if (isMerge(parsed)) checkParts(inputs);
  else checkPoison(attentionCase);
  return attentionCase;
}
