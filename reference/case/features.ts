/**
 * The feature and dtype words a case needs of a candidate, in the protocol's order.
 * @module
 */

import { forEachRun } from '../numbers/tensor.ts';
import { type AttentionCase, type Dtype, type InputName, wantsGradients } from './case.ts';
import { masks } from './mask.ts';

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

/** The words a candidate must support to be asked this case, its dtype last. */
export function featureWords(attentionCase: AttentionCase): (FeatureWord | Dtype)[] {
  const words = FEATURE_WORDS.filter((word) => NEEDS[word](attentionCase));
  return [...words, attentionCase.parameters.dtype];
}
