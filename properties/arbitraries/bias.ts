/**
 * Biases of every broadcast shape, plain or shifted by hundreds, and those that are masks.
 * @module
 */
import fc from 'fast-check';
import type { Dtype } from '../../reference/case/case.ts';
import { maxFinite, roundTo } from '../../reference/numbers/format.ts';
import { forEachIndex, type Tensor } from '../../reference/numbers/tensor.ts';
import { type Axes, axesArbitrary, broadcastShape } from './broadcast.ts';
import { integerAt, sometimes } from './mask.ts';
import type { Shape } from './shape.ts';
import { drawTensor, type Regime, regimeArbitrary } from './values.ts';

/** Constants added to every score: none, and what an unshifted softmax does not survive. */
export const SHIFTS = [0, 300, -300] as const;

/** What programs add to the scores of keys that nobody is to see; or the lowest number of the format. */
export const MASKING = [Number.NEGATIVE_INFINITY, -1e4, -1e6, -1e9, 'lowest'] as const;

export interface BiasRecipe {
  readonly axes: Axes;
  readonly regime: Regime;
  readonly shift: number;
  /** Share of elements, in eighths, that mask their keys, and by what. */
  readonly masked: number;
  readonly masking: (typeof MASKING)[number];
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
    masking: fc.constantFrom(...MASKING),
  });
}

/** The bias of a recipe for one shape. */
export function drawBias(recipe: BiasRecipe, shape: Shape, dtype: Dtype, seed: number): Tensor {
  const values = { seed, regime: recipe.regime, dtype };
  const bias = drawTensor(values, 'bias', broadcastShape(recipe.axes, shape), recipe.shift);
  if (recipe.masked === 0) return bias;
  const lowest = -maxFinite(dtype);
  const { masking } = recipe;
  forEachIndex(bias.shape, (index) => {
    if (integerAt(seed, 'bias mask', index, 8) >= recipe.masked) return;
    const low = masking === 'lowest' ? lowest : bias.get(...index) + masking;
    bias.set(...index, masking === Number.NEGATIVE_INFINITY ? low : lowered(low, dtype));
  });
  return bias;
}

/** The nearest number of the format, none of them infinite. */
function lowered(x: number, dtype: Dtype): number {
  return Math.max(-maxFinite(dtype), roundTo(dtype, x));
}
