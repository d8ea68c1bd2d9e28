/**
 * The bounds of dK and dV at chosen keys of a large case: pair by pair for every row and those keys,
 * as bounds-backward.ts has it, while what a row rests on as a whole comes from its facts.
 * @module
 */

import {
  type AttentionCase,
  type CaseParameters,
  FEATURE_GRADIENTS,
  type InputName,
  type OutputName,
} from '../../case/case.ts';
import { visibility } from '../../case/mask.ts';
import type { Certified } from '../../kernels/float64/certify.ts';
import { inputOf } from '../../kernels/float64/features.ts';
import { entry } from '../../numbers/nth.ts';
import {
  broadcastStrides,
  elementCount,
  forEachIndex,
  type Tensor,
  tensorOf,
} from '../../numbers/tensor.ts';
import type { GivenRow } from '../by-pair/bounds.ts';
import { ballsOf, flatOf, recomputedBalls } from '../by-pair/by-kernels.ts';
import type { Broadcast, CertifiedCase, FlatBalls } from '../by-pair/certified.ts';
import { compose } from '../by-pair/composition.ts';
import { backwardBounds } from '../by-pair/gradient-bounds.ts';
import type { Row } from '../by-pair/row-magnitudes.ts';
import { type ErrorModel, SLACK } from '../lemmas/error-model.ts';
import type { LargestInputs } from './largest.ts';
import { gradientErrors, rowErrors } from './row-bounds.ts';
import type { RowFacts } from './row-facts.ts';

/** The entries of an axis at chosen positions; an axis that broadcasts stays. */
function gathered(tensor: Tensor, axis: number, at: readonly number[]): Tensor {
  const broadcasts = tensor.shape[axis] === 1;
  const shape = tensor.shape.map((n, k) => (k === axis && !broadcasts ? at.length : n));
  const data = new Float64Array(elementCount(shape));
  let n = 0;
  forEachIndex(shape, (index) => {
    const from = index.map((x, k) => (k === axis && !broadcasts ? entry(at, x) : x));
    const value = tensor.get(...from);
    data[n++] = Number.isFinite(value) ? value : 0; // poison: never read
  });
  return tensorOf<number>(data, shape);
}

const exactBalls = (tensor: Tensor): FlatBalls => {
  const mid = flatOf(tensor, 0);
  return { shape: tensor.shape, mid, rad: new Float64Array(mid.length) };
};

/** K and V of the chosen keys, and what they are recomputed from. */
function keysAndValues(
  attentionCase: AttentionCase,
  keys: readonly number[],
  largest: LargestInputs,
): Pick<CertifiedCase, 'k' | 'v' | 'features'> {
  const input = (name: InputName) => inputOf(attentionCase, name);
  const { errors } = largest;
  if (errors === null) {
    const [k, v] = [
      exactBalls(gathered(input('k'), 2, keys)),
      exactBalls(gathered(input('v'), 2, keys)),
    ];
    return { k, v, features: null };
  }
  return {
    k: recomputedBalls(attentionCase, 'k', keys, errors.key),
    v: recomputedBalls(attentionCase, 'v', keys, errors.value),
    features: {
      y: flatOf(gathered(input('y'), 1, keys), 0),
      wK: flatOf(input('w_k'), 0),
      wV: flatOf(input('w_v'), 0),
    },
  };
}

function broadcastAt(
  tensor: Tensor | undefined,
  keys: readonly number[],
  f: (x: number) => number,
): Broadcast | null {
  if (tensor === undefined) return null;
  const part = gathered(tensor, tensor.shape.length - 1, keys);
  return { data: flatOf(part, 0).map(f), shape: part.shape, strides: broadcastStrides(part) };
}

function ballsNamed(certified: Certified, name: OutputName): FlatBalls {
  const output = certified[name];
  if (output === undefined) throw new Error(`"${name}" was not computed`);
  return ballsOf(output);
}

/** The case with the chosen keys only, in balls; out and lse are those of all keys. */
function keyCase(
  attentionCase: AttentionCase,
  certified: Certified,
  keys: readonly number[],
  largest: LargestInputs,
): CertifiedCase {
  const { parameters: whole, inputs, judging } = attentionCase;
  const parameters: CaseParameters = { ...whole, seq_kv: keys.length };
  const visible = visibility(attentionCase);
  const { batch, heads, seq_q, head_dim_v } = whole;
  const rows = batch * heads * seq_q;
  const kappa = (1 / (1 - whole.dropout_rate)) * SLACK;
  const lse = ballsNamed(certified, 'lse');
  const further = FEATURE_GRADIENTS.filter((name) => certified[name] !== undefined);
  return {
    attentionCase: { parameters, inputs, judging },
    parameters,
    visible: (b, h, i, j) => visible(b, h, i, entry(keys, j)),
    q: flatOf(inputs.q, 0),
    ...keysAndValues(attentionCase, keys, largest),
    dOut: flatOf(inputs.d_out, rows * head_dim_v),
    dLse: flatOf(inputs.d_lse, rows),
    bias: broadcastAt(inputs.bias, keys, (x) => x),
    kappa: broadcastAt(inputs.dropout_keep, keys, (keep) => (keep === 0 ? 0 : kappa)),
    sink: inputs.sink === undefined ? null : flatOf(inputs.sink, 0),
    lse,
    out: ballsNamed(certified, 'out'),
    // Not dQ: the chosen keys' share of it means nothing.
    gradients: new Map([
      ['d_k', ballsNamed(certified, 'd_k')],
      ['d_v', ballsNamed(certified, 'd_v')],
      ...further.map((name) => [name, ballsNamed(certified, name)] as const),
    ]),
  };
}

/**
 * Bounds of dK and dV [B, Hkv, keys, width], flat, under each model, and of what they go on to, as far as
 * `certified` has it. `facts`: of all rows.
 */
export function keyBounds(
  attentionCase: AttentionCase,
  certified: Certified,
  { keys, largest }: { readonly keys: readonly number[]; readonly largest: LargestInputs },
  facts: readonly (RowFacts | null)[],
  models: readonly ErrorModel[],
): ReadonlyMap<OutputName, Float64Array>[] {
  const c = keyCase(attentionCase, certified, keys, largest);
  const { parameters: p } = attentionCase;
  const known = new Map<ErrorModel, Map<RowFacts, GivenRow>>();
  const given = (model: ErrorModel, [b, h, i]: Row): GivenRow => {
    const row = facts[(b * p.heads + h) * p.seq_q + i];
    if (row === undefined || row === null) throw new Error('a row that sees a key has no facts');
    const rows = known.get(model) ?? new Map<RowFacts, GivenRow>();
    known.set(model, rows);
    const found = rows.get(row) ?? givenOf(p, model, row);
    rows.set(row, found);
    return found;
  };
  // Lemma Anchored asks for all keys of a row.
  const few = models.map((model) => ({ ...model, anchored: false }));
  const { sums, each } = compose(c, few, { given });
  return each.map((one) => backwardBounds(one, sums ?? {}));
}

/** What a row rests on as a whole, from its facts. */
function givenOf(p: CaseParameters, model: ErrorModel, row: RowFacts): GivenRow {
  const whole = rowErrors(p, model, row);
  const { dError } = gradientErrors(p, model, row, whole);
  return { terms: whole.terms, lseError: whole.lseError, dError };
}
