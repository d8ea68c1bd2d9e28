/**
 * Other people's acceptance rules, to compare with: `allclose`, FlashAttention's, PyTorch's.
 *
 * Each is given what its own tests have: the float64 result and, where the rule measures by it, the
 * same function computed operator by operator in the precision under test. None of them compares
 * the LSE.
 * @module
 */
import type { OutputName, Outputs } from '../../reference/case/case.ts';
import { forEachIndex, type Tensor } from '../../reference/numbers/tensor.ts';

export const RULES = ['allclose', 'flash-attention', 'pytorch'] as const;
export type Rule = (typeof RULES)[number];

/** Largest |a − b|; NaN where either holds a NaN. */
function largestDifference(a: Tensor, b: Tensor): number {
  let largest = 0;
  forEachIndex(a.shape, (at) => {
    const difference = Math.abs(a.get(...at) - b.get(...at));
    if (!(difference <= largest)) largest = difference;
  });
  return largest;
}

/** |got − gold| ≤ 10⁻² + 10⁻²·|gold| for every element. */
function allclose(gold: Tensor, got: Tensor): boolean {
  let close = true;
  forEachIndex(gold.shape, (at) => {
    const expected = gold.get(...at);
    if (!(Math.abs(got.get(...at) - expected) <= 1e-2 + 1e-2 * Math.abs(expected))) close = false;
  });
  return close;
}

/** flash-attention, tests/test_flash_attn.py: twice the eager error for O, three times for gradients. */
function flashAttention(name: OutputName, gold: Tensor, eager: Tensor, got: Tensor): boolean {
  const factor = name === 'out' ? 2 : 3;
  return largestDifference(got, gold) <= factor * largestDifference(eager, gold);
}

/** PyTorch, test_transformers.py `_check_equal`: max(10⁻⁵, fudge·eager error). */
const FUDGE: Partial<Record<OutputName, number>> = { out: 4, d_q: 180, d_k: 16, d_v: 4 };

function pytorch(name: OutputName, gold: Tensor, eager: Tensor, got: Tensor): boolean {
  const allowed = Math.max(1e-5, (FUDGE[name] ?? 16) * largestDifference(eager, gold));
  return largestDifference(got, gold) <= allowed;
}

/** The rules that refuse `got`. */
export function refusedBy(gold: Outputs, eager: Outputs, got: Outputs): Set<Rule> {
  const refused = new Set<Rule>();
  for (const [key, expected] of Object.entries(gold)) {
    const name = key as OutputName;
    const [reference, given] = [eager[name], got[name]];
    if (name === 'lse' || reference === undefined || given === undefined) continue;
    if (!allclose(expected, given)) refused.add('allclose');
    if (!flashAttention(name, expected, reference, given)) refused.add('flash-attention');
    if (!pytorch(name, expected, reference, given)) refused.add('pytorch');
  }
  return refused;
}
