/**
 * What a stack keeps, as the costs count it: the formulas of gpu/costs/memory.ts with a stack's sizes.
 * @module
 */
import { type LayerSaves, savedRecomputed, savedStandard } from '../costs/memory.ts';
import type { Workload } from '../costs/workload.ts';
import { softmaxesOf } from './layer.ts';
import type { StackShape } from './shape.ts';
import type { KeptBytes } from './tape.ts';

const workloadOf = (s: StackShape, element_bytes: 2 | 4): Workload => ({
  ...{ ranks: s.partition.ranks, ranks_per_node: s.partition.ranks },
  ...{ seq_q: s.batch * s.seq_q, seq_kv: s.batch * s.seq_kv },
  ...{ heads: s.heads, kv_heads: s.kv_heads, head_dim: s.head_dim },
  ...{ hidden: s.hidden, visual_dim: s.visual_dim, element_bytes, scalar_bytes: 4 },
});

/**
 * Bytes that the formulas say a rank keeps, the sequences dealt evenly (else: all ranks together,
 * divided by their number). `inputs` are x of every layer and y, which are part of what is kept with
 * recomputation, and which the paper leaves out of its count without; weight gradients need them.
 */
export function keptByFormula(
  s: StackShape,
  recompute: boolean,
  element_bytes: 2 | 4,
): { readonly attention: number; readonly inputs: number } {
  const w = workloadOf(s, element_bytes);
  const softmaxes = softmaxesOf(s);
  const saves: LayerSaves = {
    kv_heads: s.kv_heads,
    finished: softmaxes.length,
    text_keys: softmaxes.flat().includes('text'),
  };
  const rows = s.layers * w.seq_q * s.hidden + w.seq_kv * s.visual_dim;
  const inputs = (element_bytes * rows) / w.ranks;
  if (recompute) return { attention: savedRecomputed(w, s.layers, saves) - inputs, inputs };
  return { attention: savedStandard(w, s.layers, saves), inputs };
}

/** What a run has kept, parted in the same way. */
export function keptParts({ x, y, ...rest }: KeptBytes): {
  readonly attention: number;
  readonly inputs: number;
} {
  return { attention: Object.values(rest).reduce((a, b) => a + b, 0), inputs: x + y };
}
