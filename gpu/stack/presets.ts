/**
 * Stacks of the models in gpu/costs/models.ts, at their own dimensions or scaled down.
 *
 * Of each model its cross-attention layers, one after another: what lies between them, feed-forward
 * layers, the biases of projections and rotary embeddings are left out.
 * @module
 */

import { evenSizes } from '../../reference/case/partition.ts';
import { MODELS, type Model } from '../costs/models.ts';
import type { Fusion, StackShape } from './shape.ts';

type Family = Pick<StackShape, 'norm' | 'headNorm' | 'fusion' | 'media' | 'epsilon'>;

/** The parts of each family's layers, by how its models' names begin. */
const FAMILIES: readonly (readonly [string, Family])[] = [
  // Text attends to its own image; `previous` is the option of its authors.
  [
    'openflamingo',
    { norm: 'layer', headNorm: false, fusion: 'tanh', media: 'immediate', epsilon: 1e-5 },
  ],
  ['llama-3-v', { norm: 'rms', headNorm: true, fusion: 'tanh', media: 'previous', epsilon: 1e-5 }],
  [
    'mplug-owl3',
    { norm: 'rms', headNorm: false, fusion: 'sigmoid', media: 'previous', epsilon: 1e-6 },
  ],
];

/** What a model's dimensions are divided by; at least one of each is left. */
export interface Shrinking {
  /** KV heads, and query heads with them: how many share one stays. */
  readonly heads?: number;
  /** Width of a head, of the text and of the features. */
  readonly width?: number;
  readonly tokens_per_frame?: number;
}

export interface PresetOptions {
  readonly seq_q: number;
  readonly frames: number;
  readonly ranks: number;
  readonly batch?: number;
  /** Layers to run; all of the model's when absent. */
  readonly layers?: number;
  readonly shrink?: Shrinking;
  /** `softmax` for the later mPLUG-Owl3; its family's own when absent. */
  readonly fusion?: Fusion;
  /** Its family's own when absent. */
  readonly media?: StackShape['media'];
}

export interface Preset {
  readonly shape: StackShape;
  /** Keys of a frame, which is an image to the media mask. */
  readonly keys_per_image: number;
}

function modelOf(name: string): { readonly model: Model; readonly family: Family } {
  const model = MODELS.find((one) => one.name === name);
  const family = FAMILIES.find(([prefix]) => name.startsWith(prefix))?.[1];
  if (model === undefined || family === undefined) {
    const names = MODELS.map((one) => one.name).join(', ');
    throw new RangeError(`"model" expected one of ${names}, got ${JSON.stringify(name)}`);
  }
  return { model, family };
}

function divided(name: string, value: number, by = 1): number {
  if (!Number.isFinite(by) || by < 1) {
    throw new RangeError(`"shrink.${name}" expected a number of at least 1, got ${by}`);
  }
  return Math.max(1, Math.floor(value / by));
}

/** A model's stack, its sequences dealt evenly. Throws a RangeError that names what does not fit. */
export function presetOf(name: string, options: PresetOptions): Preset {
  const { model, family } = modelOf(name);
  const { seq_q, frames, ranks, batch = 1, shrink = {} } = options;
  const { layers = model.cross_attention_layers } = options;
  for (const [field, value] of Object.entries({ seq_q, frames, ranks, batch, layers })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new RangeError(`"${field}" expected a positive integer, got ${value}`);
  }
  const group = model.heads / model.kv_heads;
  const kv_heads = divided('heads', model.kv_heads, shrink.heads);
  const head_dim = divided('width', model.head_dim, shrink.width);
  const keys = divided('tokens_per_frame', model.tokens_per_frame, shrink.tokens_per_frame);
  const seq_kv = frames * keys;
  const shape: StackShape = {
    ...family,
    ...(options.fusion === undefined ? {} : { fusion: options.fusion }),
    ...(options.media === undefined ? {} : { media: options.media }),
    ...{ layers, batch, seq_q, seq_kv, kv_heads, head_dim },
    heads: group * kv_heads,
    hidden: divided('width', model.hidden, shrink.width),
    visual_dim: divided('width', model.visual_dim, shrink.width),
    scale: Math.fround(1 / Math.sqrt(head_dim)),
    partition: { ranks, q: evenSizes(seq_q, ranks), kv: evenSizes(seq_kv, ranks) },
  };
  return { shape, keys_per_image: keys };
}
