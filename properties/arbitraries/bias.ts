/**
 * Biases of every broadcast shape, plain or shifted by hundreds, and those that are masks.
 * @module
 */
import fc from 'fast-check';
import type { Dtype } from '../../reference/case.ts';
import { forEachIndex, type Tensor } from '../../reference/tensor.ts';
import { type Axes, axesArbitrary, broadcastShape } from './broadcast.ts';
import { integerAt, sometimes } from './mask.ts';
import type { Shape } from './shape.ts';
import { drawTensor, type Regime, regimeArbitrary } from './values.ts';

/** Constants added to every score: none, and what an unshifted softmax does not survive. */
export const SHIFTS = [0, 300, -300] as const;

export interface BiasRecipe {
  readonly axes: Axes;
  readonly regime: Regime;
  readonly shift: number;
  /** Share of −∞ in eighths: keys that the bias takes away. */
  readonly masked: number;
}

/** A bias of some regime, shifted in half the draws. */
export function biasArbitrary(
  regimes: readonly Regime[] = ['exact', 'normal', 'peaked', 'subnormal'],
): fc.Arbitrary<BiasRecipe> {
  return fc.record({
    axes: axesArbitrary(),
    regime: regimeArbitrary(regimes),
    shift: fc.oneof(fc.constant(0), fc.constantFrom(...SHIFTS)),
    masked: sometimes(fc.integer({ min: 1, max: 8 }), 3).map((share) => share ?? 0),
  });
}

/** The bias of a recipe for one shape. */
export function drawBias(recipe: BiasRecipe, shape: Shape, dtype: Dtype, seed: number): Tensor {
  const values = { seed, regime: recipe.regime, dtype };
  const bias = drawTensor(values, 'bias', broadcastShape(recipe.axes, shape), recipe.shift);
  if (recipe.masked === 0) return bias;
  forEachIndex(bias.shape, (index) => {
    if (integerAt(seed, 'bias mask', index, 8) < recipe.masked) {
      bias.set(...index, Number.NEGATIVE_INFINITY);
    }
  });
  return bias;
}
