/**
 * One case per feature, and all of them together: what a test of everything goes through.
 * @module
 */
import type { CaseChanges } from '../case/draw-case.ts';

/** A name and the changes to a plain case. */
export const FEATURE_CASES: readonly (readonly [string, CaseChanges])[] = [
  ['plain', {}],
  ['softcap', { softcap: 2 }],
  ['saturated softcap', { softcap: 1, scale: 3 }],
  ['bias', { bias: [1, 2, 1, 9] }],
  ['bias per batch', { batch: 2, bias: [2, 1, 4, 1] }],
  ['shifted by −300', { bias: [1, 1, 4, 1], shift: -300 }],
  ['shifted by +300', { bias: [4, 9], shift: 300 }],
  ['softcap beside a large bias', { softcap: 2, bias: [1, 1, 1, 1], shift: 300 }],
  ['sink', { sink: true }],
  ['mask', { mask: [1, 2, 4, 9] }],
  ['mask of keys', { mask: [9] }],
  [
    'poisoned masked keys',
    {
      mask: [9],
      adjust: ({ mask, k, v }) => {
        for (let j = 0; j < 9; j++) {
          mask?.set(j, j % 3 === 1 ? 0 : 1);
          if (j % 3 !== 1) continue;
          k?.set(0, 0, j, 0, Number.NaN);
          v?.set(0, 0, j, 0, Number.NEGATIVE_INFINITY);
        }
      },
    },
  ],
  [
    'masked by a bias of −∞',
    {
      bias: [1, 2, 4, 9],
      mask: [9],
      adjust: ({ bias }) => {
        for (let h = 0; h < 2; h++) {
          for (let i = 0; i < 4; i++) {
            for (let j = 0; j < 9; j++) {
              // The first head's first row sees nothing.
              if ((i === 0 && h === 0) || (i + j + h) % 3 === 0) bias?.set(0, h, i, j, -Infinity);
            }
          }
        }
      },
    },
  ],
  ['causal bottom-right', { causal: 'bottom-right' }],
  ['causal top-left', { causal: 'top-left' }],
  ['more queries than keys', { causal: 'bottom-right', seq_q: 7, seq_kv: 3 }],
  ['window', { window: [1, 2] }],
  ['empty rows', { causal: 'top-left', seq_q: 5, seq_kv: 3, window: [0, 0] }],
  ['media immediate', { media: 'immediate' }],
  ['media previous', { media: 'previous', batch: 2 }],
  ['lengths', { batch: 2, lengths: [5, 0] }],
  ['dropout', { dropout_rate: 0.25 }],
  ['gqa', { heads: 6, kv_heads: 2 }],
  ['recompute', { dim_y: 5, heads: 4, kv_heads: 2 }],
  ['negative scale', { scale: -0.5 }],
  ['scale 0', { scale: 0 }],
  ['one key', { seq_kv: 1 }],
  ['no keys', { seq_kv: 0 }],
  ['no keys but a sink', { seq_kv: 0, sink: true }],
  ['one query', { seq_q: 1 }],
  [
    'everything',
    {
      batch: 2,
      heads: 4,
      kv_heads: 2,
      softcap: 3,
      bias: [2, 1, 4, 9],
      sink: true,
      mask: [1, 4, 4, 9],
      causal: 'bottom-right',
      window: [6, 1],
      media: 'previous',
      dropout_rate: 0.5,
      lengths: [9, 7],
      dim_y: 3,
    },
  ],
];
