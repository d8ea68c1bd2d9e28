/**
 * Outputs of a case on exact rationals, base 2. The LSE is not rational and is left out.
 * @module
 */
import type { Fraction } from 'mathjs';
import { type AttentionCase, type Outputs, wantsGradients } from '../reference/case/case.ts';
import { attention } from '../reference/definition/attention.ts';
import { attentionGradients, gradientsByName } from '../reference/definition/gradients.ts';
import { lift } from '../reference/definition/lift.ts';
import { rational } from '../reference/numbers/rational.ts';

/** Every wanted output but the LSE, exactly. */
export function rationalOutputs(c: AttentionCase): Outputs<Fraction> {
  const problem = lift(rational, c);
  const forward = attention(problem);
  const outputs: Outputs<Fraction> = { out: forward.out };
  if (!wantsGradients(c.parameters)) return outputs;
  for (const [name, tensor] of gradientsByName(attentionGradients(problem, forward))) {
    if (tensor !== null) outputs[name] = tensor;
  }
  return outputs;
}
