/**
 * What a rank holds: activations saved for the backward pass, and the buffers of the layer at work.
 *
 * Saved, as the paper counts: per layer Q, O, K, V and the LSE (float32), or, where K and V are
 * recomputed, x, O and the LSE per layer and the features once for all layers. Buffers are those of
 * the messages in flight and of the gradients that a rank gathers, forward or backward, whichever is
 * more; those of a run are held.ts's.
 * @module
 */

import { uspGroup } from '../schedules/groups.ts';
import { heldOfEqual } from './held.ts';
import type { Model } from './models.ts';
import type { ScheduleName } from './schedules.ts';
import { AS_RUN, type Workload, widthOf } from './workload.ts';

const LSE_BYTES = 4;

/** What of a layer is saved. */
export interface LayerSaves {
  /** Heads of K and V: one for every query head as the paper counts, or as they are. */
  readonly kv_heads: number;
  /** Finished blocks of O and LSE: two where self- and cross-attention are fused after both. */
  readonly finished: number;
  /** Whether K and V of the text itself are among them. */
  readonly text_keys: boolean;
}

const asPaper = ({ heads }: Workload): LayerSaves => ({
  ...{ kv_heads: heads, finished: 1, text_keys: false },
});

/** Bytes saved over all layers, K and V among them; x and y, of which they are made, apart. */
export function savedStandard(w: Workload, layers: number, saves = asPaper(w)): number {
  const { kv_heads, finished, text_keys } = saves;
  const keys = w.seq_kv + (text_keys ? w.seq_q : 0);
  const rows = (1 + finished) * widthOf(w) * w.seq_q + 2 * kv_heads * w.head_dim * keys;
  const lse = LSE_BYTES * finished * w.seq_q * w.heads;
  return (layers * (w.element_bytes * rows + lse)) / w.ranks;
}

/** Bytes saved over all layers that recompute Q, K and V from x and from shared features. */
export function savedRecomputed(w: Workload, layers: number, { finished } = asPaper(w)): number {
  const rows = w.seq_q * (w.hidden + finished * widthOf(w));
  const layer = w.element_bytes * rows + LSE_BYTES * finished * w.seq_q * w.heads;
  return (w.element_bytes * w.seq_kv * w.visual_dim + layers * layer) / w.ranks;
}

/** Blocks of a rank in bytes. */
function blocks(w: Workload) {
  const { element_bytes: b, ranks, seq_q, seq_kv } = w;
  const lse = (LSE_BYTES * seq_q * w.heads) / ranks;
  return {
    /** Q, O, dO or dQ of a rank's rows; its LSE; K, V, dK or dV of its keys; of one KV head each. */
    q: (b * seq_q * widthOf(w)) / ranks,
    lse,
    k: (b * seq_kv * widthOf(w)) / ranks,
    kGrouped: (b * seq_kv * w.kv_heads * w.head_dim) / ranks,
    x: (b * seq_q * w.hidden) / ranks,
    y: (b * seq_kv * w.visual_dim) / ranks,
  };
}

type Blocks = ReturnType<typeof blocks>;
/** Buffers of a layer at work: forward, backward. */
type Working = (at: Blocks, w: Workload) => readonly [number, number];

const lvBuffers: Working = ({ q, lse, k }) => [
  // Double buffers for Q and for (O, LSE), and one partial result.
  2 * q + 3 * (q + lse),
  // Double buffers for {Q, O, dO, LSE} and dQ, one more dQ; dK and dV stay.
  2 * (3 * q + lse) + 3 * q + 2 * k,
];

const WORKING: Readonly<Record<ScheduleName, Working>> = {
  'lv-xattn': lvBuffers,
  // K and V twice; backward dK and dV twice besides, and dQ.
  'ring-attention': ({ q, lse, k }) => [4 * k + q + lse, 8 * k + 2 * q],
  // Every tensor once by rows and once by heads.
  ulysses: ({ q, k }) => [2 * q + 2 * k, 4 * q + 4 * k],
  // The whole of x and y, then of their gradients, and the rank's heads.
  'head-parallel': ({ q, k, x, y }, { ranks: n }) => [
    n * (x + y) + 2 * q + 2 * k,
    n * (2 * x + 2 * y) + 4 * q + 4 * k,
  ],
  'all-gather-kv': ({ q, lse, kGrouped }, { ranks: n }) => [
    2 * n * kGrouped + q + lse,
    4 * n * kGrouped + 2 * q,
  ],
  // A partial result of every rank's rows.
  'pass-q': ({ q, lse, k }, { ranks: n }) => [
    2 * q + n * (q + lse),
    2 * (3 * q + lse) + n * q + 2 * k,
  ],
  // LV-XAttn's between groups. Within one K and V are cut into pieces, exchanged and joined; backward
  // dK and dV by rows and by heads, and as pieces on their way home. Shared KV heads go to several.
  usp: (at, w) => {
    const [group, [forward, backward]] = [uspGroup(w), lvBuffers(at, w)];
    if (group === 1) return [forward, backward];
    const k = at.kGrouped * Math.max(1, group / w.kv_heads);
    const ours = 2 * at.k;
    return [
      forward + 2 * at.q + (6 - 2 / group) * k,
      backward - ours + 2 * at.q + 6 * k + 2 * at.kGrouped,
    ];
  },
  // Double buffers for queries, three partial results, the one that comes home, and its own.
  'token-ring': ({ q, lse, k }) => [2 * q + 5 * (q + lse), 2 * (3 * q + lse) + 5 * q + 2 * k],
};

export interface Memory {
  /** Activations saved over all layers, as this schedule's authors do it. */
  readonly saved_bytes: number;
  /** Buffers of the layer at work, recomputed K and V and the features' gradient among them. */
  readonly working_bytes: number;
  readonly peak_bytes: number;
}

/** A rank's memory for cross-attention, with Q, K and V recomputed or saved. */
export function memoryOf(
  name: ScheduleName,
  w: Workload,
  layers: number,
  recompute: boolean,
): Memory {
  const at = blocks(w);
  const [forward, backward] = WORKING[name](at, w);
  const again = recompute ? [2 * at.k, at.q + 2 * at.k + at.y] : [0, 0];
  const saved = (recompute ? savedRecomputed : savedStandard)(w, layers);
  const working = Math.max(forward + (again[0] ?? 0), backward + (again[1] ?? 0));
  return { saved_bytes: saved, working_bytes: working, peak_bytes: saved + working };
}

/** What a run holds: KV heads as they are, and its buffers to the byte, of equal blocks. */
export interface RunMemory extends Memory {
  readonly forward_buffers_bytes: number;
  readonly backward_buffers_bytes: number;
}

/** A rank's memory for cross-attention as `xattn run` does it. dY of recomputed keys is counted too. */
export function memoryAsRun(
  name: ScheduleName,
  w: Workload,
  layers: number,
  recompute: boolean,
): RunMemory {
  const [forward, backward] = (['forward', 'backward'] as const).map((direction) =>
    heldOfEqual(name, direction, w, AS_RUN),
  ) as [number, number];
  const saves = { ...asPaper(w), kv_heads: w.kv_heads };
  const saved = (recompute ? savedRecomputed : savedStandard)(w, layers, saves);
  const working = Math.max(forward, backward + (recompute ? blocks(w).y : 0));
  return {
    ...{ saved_bytes: saved, working_bytes: working, peak_bytes: saved + working },
    ...{ forward_buffers_bytes: forward, backward_buffers_bytes: backward },
  };
}

/** Weights, gradients and two moments of the optimizer, in the model's elements, dealt over ranks. */
const STATES = 4;

/** What a rank holds before any activation: its share of the states, and one layer's weights whole. */
export function stateBytes(model: Model, ranks: number): number {
  const { parameters, text_parameters, self_attention_layers, element_bytes } = model;
  const layer = text_parameters / self_attention_layers;
  return element_bytes * ((STATES * parameters) / ranks + 2 * layer);
}
