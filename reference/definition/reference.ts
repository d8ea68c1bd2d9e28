/**
 * The float64 reference: every output a case wants, by the definition itself.
 *
 * Not certified: its own rounding error is part of what the judge allows (bounds.ts).
 * @module
 */

import { type AttentionCase, type OutputName, type Outputs, wantsGradients } from '../case/case.ts';
import { reshapedOutputs } from '../case/case-shapes.ts';
import { isMerge, partsAsKeys } from '../case/merge-case.ts';
import type { Arithmetic } from '../numbers/arithmetic.ts';
import { float64 } from '../numbers/float64.ts';
import { mapTensor, type Tensor, tensorOf, toFlat } from '../numbers/tensor.ts';
import { attention, logSumExp } from './attention.ts';
import { attentionGradients, gradientsByName } from './gradients.ts';
import { lift } from './lift.ts';

/** Every output the case wants, over any number system; in `lse`, null is −∞. */
export function evaluate<T>(
  arithmetic: Arithmetic<T>,
  attentionCase: AttentionCase,
): Outputs<T | null> {
  if (isMerge(attentionCase.parameters)) {
    const asked = evaluate(arithmetic, partsAsKeys(attentionCase));
    return reshapedOutputs(attentionCase, asked);
  }
  const problem = lift(arithmetic, attentionCase);
  const { wants } = attentionCase.parameters;
  const forward = attention(problem);
  const all: Outputs<T | null> = { out: forward.out as Tensor<T | null> };
  if (wants.includes('lse')) all.lse = logSumExp(problem, forward.rows);
  if (wantsGradients(attentionCase.parameters)) {
    const named = gradientsByName(attentionGradients(problem, forward));
    for (const [name, tensor] of named) {
      if (tensor !== null) all[name] = tensor as Tensor<T | null>;
    }
  }
  const wanted: Outputs<T | null> = {};
  for (const name of wants) {
    const tensor = all[name];
    if (tensor !== undefined) wanted[name] = tensor;
  }
  return wanted;
}

/** Every output the case wants, in float64; shapes as in the case, LSE −Infinity for empty rows. */
export function referenceOutputs(attentionCase: AttentionCase): Outputs {
  const outputs: Outputs = {};
  for (const [name, tensor] of Object.entries(evaluate(float64, attentionCase))) {
    const numbers = mapTensor(tensor, (value) => value ?? Number.NEGATIVE_INFINITY);
    outputs[name as OutputName] = tensorOf(Float64Array.from(toFlat(numbers)), tensor.shape);
  }
  return outputs;
}
