/**
 * What an iteration takes beside cross-attention, the same under every schedule.
 *
 * Weights are dealt over the ranks (FSDP): gathered forward, gathered backward, gradients scattered.
 * Text and vision encoder are trained, 6 operations per weight and token; the text's self-attention
 * goes round as a causal ring of contiguous blocks, which takes as long as without a mask, since its
 * last rank works in every round. Nothing of this overlaps.
 * @module
 */
import { blockPairFlops } from './flops.ts';
import { type Machine, transferSeconds } from './machine.ts';
import type { Model } from './models.ts';
import { NEXT } from './phases.ts';

const OPERATIONS_PER_WEIGHT = 6;
const WEIGHT_TRANSFERS = 3;

/** Seconds of gathering weights and scattering gradients. */
export function weightSeconds(machine: Machine, model: Model): number {
  const { ranks } = machine;
  const bytes = (model.parameters * model.element_bytes * (ranks - 1)) / ranks;
  return WEIGHT_TRANSFERS * transferSeconds(machine, bytes, NEXT);
}

/** Operations of a rank in self-attention of the text, forward and backward, all layers. */
export function selfAttentionFlops(model: Model, ranks: number, seq_q: number): number {
  const pair = { rows: seq_q, keys: seq_q / ranks, heads: 1 };
  const dims = { head_dim: model.hidden, head_dim_v: model.hidden };
  const both = { ...pair, ...dims };
  const layer = blockPairFlops(both, 'forward') + blockPairFlops(both, 'backward');
  return model.self_attention_layers * layer;
}

/** Operations of a rank in all other matrix products of text and vision encoder. */
export function denseFlops(
  model: Model,
  ranks: number,
  { seq_q, seq_kv }: { readonly seq_q: number; readonly seq_kv: number },
): number {
  const frames = seq_kv / model.tokens_per_frame;
  const encoded = model.encoder_parameters * model.encoder_tokens_per_frame * frames;
  return (OPERATIONS_PER_WEIGHT * (model.text_parameters * seq_q + encoded)) / ranks;
}

/** Seconds of an iteration beside cross-attention. */
export function iterationRest(
  machine: Machine,
  model: Model,
  sizes: { readonly seq_q: number; readonly seq_kv: number },
): number {
  const { ranks, attention_flops_per_s, dense_flops_per_s } = machine;
  return (
    weightSeconds(machine, model) +
    selfAttentionFlops(model, ranks, sizes.seq_q) / attention_flops_per_s +
    denseFlops(model, ranks, sizes) / dense_flops_per_s
  );
}
