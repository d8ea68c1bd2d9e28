/**
 * The feature and dtype words a case needs of a candidate, in the protocol's order.
 * @module
 */

import { forEachRun, toFlat } from '../numbers/tensor.ts';
import {
  type AttentionCase,
  type Dtype,
  type InputName,
  OPS,
  type Op,
  wantsGradients,
} from './case.ts';
import { masks } from './mask.ts';
import { isMerge } from './merge-case.ts';

export const FEATURE_WORDS = [
  'forward',
  'backward',
  'gqa',
  'mask',
  'bias',
  'causal-top-left',
  'causal-bottom-right',
  'window',
  'softcap',
  'sink',
  'dropout',
  'media',
  'varlen',
  'dlse',
  'recompute',
  'uneven',
  'poison',
] as const;
export type FeatureWord = (typeof FEATURE_WORDS)[number];

/** Steps of the algorithm that a candidate may be asked by themselves. */
export const OP_WORDS: readonly Op[] = OPS;

function unequal(sizes: readonly number[]): boolean {
  return sizes.some((size) => size !== sizes[0]);
}

/** Does any element lie outside the finite numbers? */
function poisoned({ inputs }: AttentionCase): boolean {
  return [inputs.k, inputs.v].some((tensor) => {
    let found = false;
    if (tensor === undefined) return found;
    forEachRun(tensor, (_, run) => {
      found ||= run.some((x) => !Number.isFinite(x));
    });
    return found;
  });
}

/** Does the bias mask a key? Who cannot mask is not asked. */
function masking({ inputs: { bias } }: AttentionCase): boolean {
  let found = false;
  if (bias === undefined) return found;
  forEachRun(bias, (_, run) => {
    found ||= run.some(masks);
  });
  return found;
}

/** Every word, and whether a case needs it. */
const NEEDS: Readonly<Record<FeatureWord, (c: AttentionCase) => boolean>> = {
  forward: () => true,
  backward: ({ parameters }) => wantsGradients(parameters),
  gqa: ({ parameters }) => parameters.heads !== parameters.kv_heads,
  mask: (c) => c.inputs.mask !== undefined || masking(c),
  bias: given('bias'),
  'causal-top-left': ({ parameters }) => parameters.causal === 'top-left',
  'causal-bottom-right': ({ parameters }) => parameters.causal === 'bottom-right',
  window: ({ parameters }) => parameters.window !== null,
  softcap: ({ parameters }) => parameters.softcap !== 0,
  sink: given('sink'),
  dropout: given('dropout_keep'),
  media: ({ parameters }) => parameters.media !== null,
  varlen: given('kv_lengths'),
  dlse: given('d_lse'),
  recompute: ({ parameters }) => parameters.dim_y !== undefined,
  uneven: ({ parameters }) => unequal(parameters.partition.q) || unequal(parameters.partition.kv),
  poison: poisoned,
};

function given(name: InputName): (c: AttentionCase) => boolean {
  return ({ inputs }) => inputs[name] !== undefined;
}

/** Is there anything but zeros in the output of a part without keys? spec (27) */
function poisonedParts({ inputs: { outs, lses } }: AttentionCase): boolean {
  let found = false;
  if (outs === undefined || lses === undefined) return found;
  const [width = 1] = outs.shape.slice(4);
  const empty = toFlat(lses).map(masks);
  if (!empty.includes(true)) return found;
  forEachRun(outs, (start, run) => {
    found ||= run.some((x, n) => x !== 0 && empty[Math.floor((start + n) / width)] === true);
  });
  return found;
}

/** The words a candidate must support to be asked this case, its dtype last. */
export function featureWords(attentionCase: AttentionCase): (FeatureWord | Op | Dtype)[] {
  const { op, dtype } = attentionCase.parameters;
  if (isMerge({ op }))
    return ['merge', ...(poisonedParts(attentionCase) ? (['poison'] as const) : []), dtype];
  const words = FEATURE_WORDS.filter((word) => NEEDS[word](attentionCase));
  return [...words, attentionCase.parameters.dtype];
}
