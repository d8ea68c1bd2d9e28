/**
 * Who may attend to whom: the intersection of every mask of a case. spec (5)
 * @module
 */

import { broadcastGet } from '../numbers/tensor.ts';
import type { AttentionCase } from './case.ts';

/** May query i of head h attend to key j, in batch entry b? */
export type Visibility = (b: number, h: number, i: number, j: number) => boolean;

/** Is this a bias that takes the key away? Frameworks write masks so. spec (5h) */
export const masks = (bias: number): boolean => bias === Number.NEGATIVE_INFINITY;

function causalRule({ parameters }: AttentionCase, offset: number): Visibility | null {
  return parameters.causal === 'none' ? null : (_b, _h, i, j) => j <= i + offset;
}

function windowRule({ parameters: { window } }: AttentionCase, offset: number): Visibility | null {
  if (window === null) return null;
  const [left, right] = window;
  return (_b, _h, i, j) =>
    (left < 0 || i + offset - left <= j) && (right < 0 || j <= i + offset + right);
}

function mediaRule({ parameters, inputs }: AttentionCase): Visibility | null {
  const { media_text: text, media_key: key } = inputs;
  if (parameters.media === null || text === undefined || key === undefined) return null;
  return parameters.media === 'immediate'
    ? (b, _h, i, j) => text.get(b, i) === key.get(b, j)
    : (b, _h, i, j) => text.get(b, i) >= key.get(b, j);
}

/** The rules that take keys away. */
function rulesOf(attentionCase: AttentionCase): Visibility[] {
  const { parameters, inputs } = attentionCase;
  const { mask, kv_lengths: lengths } = inputs;
  const offset = parameters.causal === 'bottom-right' ? parameters.seq_kv - parameters.seq_q : 0;
  const { bias } = inputs;
  const rules: (Visibility | null)[] = [
    mask === undefined ? null : (b, h, i, j) => broadcastGet(mask, [b, h, i, j]) !== 0,
    lengths === undefined ? null : (b, _h, _i, j) => j < lengths.get(b),
    causalRule(attentionCase, offset),
    windowRule(attentionCase, offset),
    mediaRule(attentionCase),
    bias === undefined ? null : (b, h, i, j) => !masks(broadcastGet(bias, [b, h, i, j])),
  ];
  return rules.filter((rule) => rule !== null);
}

/** The one definition of all masks together. */
export function visibility(attentionCase: AttentionCase): Visibility {
  const rules = rulesOf(attentionCase);
  return (b, h, i, j) => rules.every((rule) => rule(b, h, i, j));
}

/** Has the case no rule that could take a key away from a query? */
export const seesAll = (attentionCase: AttentionCase): boolean =>
  rulesOf(attentionCase).length === 0;
