/**
 * Models with cross-attention, as data: what a cost needs to know of them, with units in the names.
 *
 * Shapes are those of the public configurations. Parameter counts are of the public model cards,
 * rounded, and not counted again here; those of OpenFlamingo are added up from its parts (language
 * model, gated cross-attention blocks with their feed-forward layers, perceiver, CLIP ViT-L). They
 * enter the iteration's time and the memory, not cross-attention.
 * @module
 */
import { z } from 'zod';
import { checked, count } from './checked.ts';

/** Schedules deal heads out one by one. */
const heads = count.max(2 ** 16);

export const Model = z
  .strictObject({
    name: z.string().min(1),
    cross_attention_layers: count,
    self_attention_layers: count,
    /** Width of the text, of the visual features, and of one head. */
    hidden: count,
    visual_dim: count,
    heads,
    kv_heads: heads,
    head_dim: count,
    /** Keys that one frame (or image) gives. */
    tokens_per_frame: count,
    /** Bytes of a weight, an activation, an element of a message. */
    element_bytes: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)]),
    /** All weights; those that every text token meets; those of the vision encoder. */
    parameters: count,
    text_parameters: count,
    encoder_parameters: count,
    /** Tokens that the vision encoder works on for one frame. */
    encoder_tokens_per_frame: count,
  })
  .refine(({ heads, kv_heads }) => heads % kv_heads === 0, {
    path: ['kv_heads'],
    message: 'expected a divisor of heads',
  });
export type Model = z.infer<typeof Model>;

const F16 = 2 as const;
const LLAMA_3_V = {
  head_dim: 128,
  kv_heads: 8,
  ...{ tokens_per_frame: 6404, element_bytes: F16 },
  ...{ encoder_parameters: 870e6, encoder_tokens_per_frame: 6404 },
} satisfies Partial<Model>;
const MPLUG_OWL3 = {
  cross_attention_layers: 4,
  ...{ tokens_per_frame: 729, element_bytes: F16 },
  ...{ encoder_parameters: 430e6, encoder_tokens_per_frame: 729 },
} satisfies Partial<Model>;
const OPEN_FLAMINGO = {
  ...{ heads: 8, kv_heads: 8, head_dim: 64, visual_dim: 1024 },
  ...{ tokens_per_frame: 64, element_bytes: F16 },
  ...{ encoder_parameters: 304e6, encoder_tokens_per_frame: 257 },
} satisfies Partial<Model>;

export const MODELS: readonly Model[] = [
  {
    ...LLAMA_3_V,
    name: 'llama-3-v-11b',
    ...{ cross_attention_layers: 8, self_attention_layers: 32 },
    ...{ hidden: 4096, visual_dim: 4096, heads: 32 },
    ...{ parameters: 10.67e9, text_parameters: 9.8e9 },
  },
  {
    ...LLAMA_3_V,
    name: 'llama-3-v-90b',
    ...{ cross_attention_layers: 20, self_attention_layers: 80 },
    ...{ hidden: 8192, visual_dim: 8192, heads: 64 },
    ...{ parameters: 88.6e9, text_parameters: 87.7e9 },
  },
  {
    ...MPLUG_OWL3,
    name: 'mplug-owl3-7b',
    self_attention_layers: 28,
    ...{ hidden: 3584, visual_dim: 3584, heads: 28, kv_heads: 4, head_dim: 128 },
    ...{ parameters: 8.07e9, text_parameters: 7.6e9 },
  },
  {
    ...MPLUG_OWL3,
    name: 'mplug-owl3-2b',
    self_attention_layers: 28,
    ...{ hidden: 1536, visual_dim: 1536, heads: 12, kv_heads: 2, head_dim: 128 },
    ...{ parameters: 2.0e9, text_parameters: 1.54e9 },
  },
  {
    ...MPLUG_OWL3,
    name: 'mplug-owl3-1b',
    self_attention_layers: 24,
    ...{ hidden: 896, visual_dim: 896, heads: 14, kv_heads: 2, head_dim: 64 },
    ...{ parameters: 0.93e9, text_parameters: 0.49e9 },
  },
  {
    ...OPEN_FLAMINGO,
    name: 'openflamingo-9b',
    ...{ cross_attention_layers: 8, self_attention_layers: 32, hidden: 4096 },
    ...{ parameters: 8.1e9, text_parameters: 7.75e9 },
  },
  {
    ...OPEN_FLAMINGO,
    name: 'openflamingo-3b',
    ...{ cross_attention_layers: 24, self_attention_layers: 24, hidden: 2048 },
    ...{ parameters: 2.56e9, text_parameters: 2.19e9 },
  },
];

/** A model from outside. Throws a RangeError that names the field. */
export const parseModel = (given: unknown, where: string): Model => checked(Model, given, where);
