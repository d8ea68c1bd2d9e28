/**
 * lv-xattn-oracle: the exact answer of cross-attention, and the judge of anybody's.
 *
 * `attention`, `attentionGradients` and `merge` are the definition over any number system; `oracle`
 * gives the correctly rounded answer of a case, `judge` the verdict on somebody's outputs. The rest
 * is under `lv-xattn-oracle/reference` and `lv-xattn-oracle/gpu`.
 * @module
 */
export { attention } from './reference/attention.ts';
export { attentionGradients } from './reference/gradients.ts';
export { judge } from './reference/judge.ts';
export { merge } from './reference/merge.ts';
export { oracle } from './reference/oracle.ts';
