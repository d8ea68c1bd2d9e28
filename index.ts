/**
 * lv-xattn-oracle: the exact answer of cross-attention, and the judge of anybody's.
 *
 * `attention`, `attentionGradients` and `merge` are the definition over any number system; `oracle`
 * gives the correctly rounded answer of a case, `judge` the verdict on somebody's outputs; cases are
 * made by `makeCase`, and go to and from folders by `writeCase`, `readCase`, `writeOutputs`,
 * `readOutputs`. The rest is under `lv-xattn-oracle/reference` and `lv-xattn-oracle/gpu`.
 * @module
 */
export { makeCase } from './reference/case/make-case.ts';
export { attention } from './reference/definition/attention.ts';
export { attentionGradients } from './reference/definition/gradients.ts';
export { merge } from './reference/definition/merge.ts';
export { readCase, writeCase, writeOutputs } from './reference/files/case-folder.ts';
export { readOutputs } from './reference/files/given-outputs.ts';
export { oracle } from './reference/oracle/oracle.ts';
export { judge } from './reference/verdict/judge.ts';
