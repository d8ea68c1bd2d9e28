/**
 * Cases that are exact on rationals: integer scores, so that every weight 2^s is a rational number.
 * @module
 */
import fc from 'fast-check';
import type { AttentionCase } from '../../reference/case/case.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { buildCase, type CaseOptions, recipeArbitrary } from './attention-case.ts';

/** Whole cases of integers, without softcap (tanh is not rational); every other feature occurs. */
export function rationalCaseArbitrary(options: CaseOptions = {}): fc.Arbitrary<AttentionCase> {
  const recipes = recipeArbitrary({
    shape: { batch: 2, kvHeads: 2, group: 2, seqQ: 3, seqKv: 6, headDim: 3, dimY: 2 },
    ...options,
    regimes: ['exact'],
    dtypes: ['f64'],
    without: ['softcap', ...(options.without ?? [])],
  });
  return fc.record({ recipe: recipes, scale: fc.constantFrom(1, -1, 2, 0) }).map((drawn) => {
    const bias = drawn.recipe.bias;
    const recipe = {
      ...drawn.recipe,
      scale: drawn.scale,
      scoreRegime: 'exact' as const,
      valueRegime: 'exact' as const,
      // Of the biases that mask, −∞ alone: 2 to the −10⁶ is a fraction of a million digits.
      bias:
        bias === null
          ? null
          : { ...bias, regime: 'exact' as const, masking: Number.NEGATIVE_INFINITY },
    };
    const built = buildCase(recipe);
    const { sink } = built.inputs;
    if (sink === undefined) return built;
    const inputs = { ...built.inputs, sink: mapTensor(sink, Math.round) };
    return validateCase(built.parameters, inputs, built.judging);
  });
}
