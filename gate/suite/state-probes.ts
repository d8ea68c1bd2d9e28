/**
 * Probes for what a candidate keeps from one question to the next. They stand in an order: each
 * differs from the one before in one thing, with every size that a cache may be keyed on the same.
 * @module
 */
import { set } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';

const STALE = 'a buffer, a mask or a kernel kept from the question before';
const SAME = {
  shows: STALE,
  sequence: 'state',
  // Some of the sequence change heads or shards, and nothing else.
  keeps: ['batch', 'heads', 'sizes'],
  batch: 2,
  heads: 4,
  kv_heads: 2,
  seq_q: 6,
  seq_kv: 9,
  ranks: 3,
} as const;

/** Asked one after the other; names count them. */
const SEQUENCE: readonly Omit<SuiteSpec, 'name'>[] = [
  {},
  {},
  { gradients: false },
  {},
  { mask: [2, 4, 6, 9] },
  { mask: [2, 4, 6, 9] },
  { bias: [1, 4, 6, 9] },
  { bias: [1, 4, 6, 9], adjust: set('bias', (_, old) => old + 2) },
  { bias: [2, 1, 1, 9] },
  { bias: [2, 1, 6, 9], gradients: false },
  { scale: 1 },
  { softcap: 2 },
  { softcap: 0.5 },
  { causal: 'top-left' },
  { causal: 'bottom-right' },
  { window: [1, 1] },
  { window: [2, 0] },
  { lengths: [9, 4] },
  { lengths: [3, 9] },
  { media: 'immediate' },
  { media: 'previous' },
  { dropout_rate: 0.5 },
  { dropout_rate: 0.25 },
  { sink: true },
  { sink: true },
  { dLse: true },
  { dLse: false },
  { dim_y: 5 },
  { dim_y: 5 },
  { kv_heads: 4 },
  { kv_heads: 1 },
  { partition: { ranks: 3, q: [4, 0, 2], kv: [1, 7, 1] } },
  { partition: { ranks: 3, q: [1, 5, 0], kv: [6, 0, 3] } },
  { ranks: 2 },
  {},
];

export const STATE_PROBES: readonly SuiteSpec[] = SEQUENCE.map((changes, n) => ({
  ...SAME,
  ...changes,
  name: `state/${String(n + 1).padStart(2, '0')}`,
}));
