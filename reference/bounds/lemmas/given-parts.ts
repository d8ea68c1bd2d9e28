/**
 * What merges of stored partial results may cost beyond those inside a kernel. Derived on paper: spec/bounds.md §3, Parts
 * @module
 */
import type { ErrorModel } from './error-model.ts';

/**
 * Lemma Parts: what a merge of stored partial results may cost a weight beyond Lemma Weight: weights that are
 * divided by their sum, each LSE brought to base 2 and back.
 */
export function givenPartsError(model: ErrorModel, merges: number, reach: number): number {
  return model.mergesGiven ? merges * (2 + 9 * reach) * model.accumulation : 0;
}
