/**
 * Masks of every kind, and their intersections: which pairs exist.
 *
 * A recipe is drawn without knowing the shape; `drawMask` makes the tensors of one shape from it, so
 * a case may shrink its shape and keep its mask.
 * @module
 */
import fc from 'fast-check';
import {
  CAUSAL_ALIGNMENTS,
  type CaseInputs,
  type Causal,
  type MediaRule,
} from '../../reference/case/case.ts';
import {
  elementCount,
  forEachIndex,
  type Tensor,
  tensorOf,
} from '../../reference/numbers/tensor.ts';
import { type Axes, axesArbitrary, broadcastShape } from './broadcast.ts';
import type { Shape } from './shape.ts';
import { uniformAt } from './values.ts';

/** A feature that one draw in `oneIn` has; shrinking ends without it. */
export function sometimes<T>(arbitrary: fc.Arbitrary<T>, oneIn = 3): fc.Arbitrary<T | null> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: oneIn - 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary },
  );
}

/** Every mask of a case; null = none of that kind. */
export interface MaskRecipe {
  readonly causal: Causal;
  readonly window: [number, number] | null;
  /** Share of kept pairs in eighths, and the axes along which it differs. */
  readonly mask: { readonly kept: number; readonly axes: Axes } | null;
  /** Whether batch entries have lengths of their own, and how short they are. */
  readonly lengths: 'any' | 'zero first' | 'full' | null;
  readonly media: { readonly rule: MediaRule; readonly images: number } | null;
  /** NaN and infinities at keys that nobody attends to. */
  readonly poison: boolean;
}

const side = (max: number): fc.Arbitrary<number> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: fc.nat({ max }) },
    { weight: 1, arbitrary: fc.constant(-1) },
  );

/** Each kind about one time in three or four, independently, so intersections are common. */
export function maskArbitrary(): fc.Arbitrary<MaskRecipe> {
  return fc.record({
    causal: fc.oneof(
      { withCrossShrink: true },
      { weight: 2, arbitrary: fc.constant<Causal>('none') },
      { weight: 2, arbitrary: fc.constantFrom(...CAUSAL_ALIGNMENTS) },
    ),
    window: sometimes(fc.tuple(side(4), side(4)), 4),
    mask: sometimes(fc.record({ kept: fc.integer({ min: 0, max: 8 }), axes: axesArbitrary() }), 3),
    lengths: sometimes(fc.constantFrom('full' as const, 'any' as const, 'zero first' as const), 4),
    media: sometimes(
      fc.record({
        rule: fc.constantFrom<MediaRule>('immediate', 'previous'),
        images: fc.integer({ min: 1, max: 4 }),
      }),
      4,
    ),
    poison: fc.integer({ min: 0, max: 2 }).map((n) => n === 1),
  });
}

function fill(shape: readonly number[], value: (index: readonly number[]) => number): Tensor {
  const tensor = tensorOf<number>(new Float64Array(elementCount(shape)), shape);
  forEachIndex(shape, (index) => {
    tensor.set(...index, value(index));
  });
  return tensor;
}

/** An integer in 0..below−1 that belongs to one place. */
export function integerAt(
  seed: number,
  name: string,
  index: readonly number[],
  below: number,
): number {
  return Math.floor(uniformAt(seed, name, index)() * below);
}

/** The mask tensors of a recipe for one shape: mask, kv_lengths, media_text, media_key. */
export function drawMask(recipe: MaskRecipe, shape: Shape, seed: number): CaseInputs {
  const { batch, seq_q, seq_kv } = shape;
  const inputs: CaseInputs = {};
  const { mask, lengths, media } = recipe;
  if (mask !== null) {
    inputs.mask = fill(broadcastShape(mask.axes, shape), (index) =>
      integerAt(seed, 'mask', index, 8) < mask.kept ? 1 : 0,
    );
  }
  if (lengths !== null) {
    inputs.kv_lengths = fill([batch], ([b = 0]) => {
      if (lengths === 'full') return seq_kv;
      return lengths === 'zero first' && b === 0
        ? 0
        : integerAt(seed, 'kv_lengths', [b], seq_kv + 1);
    });
  }
  if (media !== null) {
    inputs.media_text = fill([batch, seq_q], (index) =>
      integerAt(seed, 'media_text', index, media.images + 1),
    );
    inputs.media_key = fill(
      [batch, seq_kv],
      (index) => 1 + integerAt(seed, 'media_key', index, media.images),
    );
  }
  return inputs;
}
