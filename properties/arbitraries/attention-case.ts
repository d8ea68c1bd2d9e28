/**
 * Whole cases: every feature, dtype, value regime and partition, valid by construction.
 *
 * A case is drawn as a recipe of independent fields and built from it; fast-check shrinks the
 * fields one by one (fewer keys, no mask, plainer values, one rank, forward only), and values keep
 * their places, so that what remains of a failing case still holds the numbers that failed.
 * @module
 */
import fc from 'fast-check';
import {
  type AttentionCase,
  type CaseInputs,
  type CaseParameters,
  DTYPES,
  type Dtype,
  type OutputName,
} from '../../reference/case/case.ts';
import { kvHead } from '../../reference/case/heads.ts';
import { visibility } from '../../reference/case/mask.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { elementCount, forEachIndex, tensorOf } from '../../reference/numbers/tensor.ts';
import { type BiasRecipe, biasArbitrary, drawBias } from './bias.ts';
import { drawMask, integerAt, type MaskRecipe, maskArbitrary, sometimes } from './mask.ts';
import { type LayoutRecipe, layout, partitionArbitrary } from './partition.ts';
import { type Shape, type ShapeLimits, shapeArbitrary } from './shape.ts';
import { drawTensor, REGIMES, type Regime, regimeArbitrary, seedArbitrary } from './values.ts';

/** What may be drawn; everything, when left out. */
export interface CaseOptions {
  readonly shape?: ShapeLimits;
  readonly dtypes?: readonly Dtype[];
  readonly regimes?: readonly Regime[];
  readonly maxRanks?: number;
  /** Features that are never drawn. */
  readonly without?: readonly OptionalFeature[];
  /** `both` (default) draws forward and backward cases; the others only those. */
  readonly direction?: 'forward' | 'backward' | 'both';
}

export const OPTIONAL_FEATURES = [
  'bias',
  'sink',
  'softcap',
  'dropout',
  'recompute',
  'dlse',
  'poison',
  'mask',
  'causal',
  'window',
  'varlen',
  'media',
] as const;
export type OptionalFeature = (typeof OPTIONAL_FEATURES)[number];

/** Everything a case is built from. */
export interface CaseRecipe {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Of Q and K; of V, dO and the rest. */
  readonly scoreRegime: Regime;
  readonly valueRegime: Regime;
  readonly seed: number;
  readonly scale: 'root' | number;
  readonly softcap: number | null;
  readonly bias: BiasRecipe | null;
  readonly sink: number | null;
  readonly masks: MaskRecipe;
  readonly dropout: number | null;
  readonly dLse: boolean | null;
  readonly dimY: number | null;
  readonly backward: boolean;
  readonly layout: LayoutRecipe;
}

/** 1/√d to sixteen bits: short enough for every format to hold, and no function of the engine. */
function rootScale(headDim: number): number {
  return Math.round(2 ** 16 / Math.sqrt(headDim)) / 2 ** 16;
}

/** Recipes of cases; `buildCase` makes the case. */
export function recipeArbitrary(options: CaseOptions = {}): fc.Arbitrary<CaseRecipe> {
  const { dtypes = DTYPES, regimes = REGIMES, without = [], direction = 'both' } = options;
  const unless = <T>(feature: OptionalFeature, arbitrary: fc.Arbitrary<T | null>) =>
    without.includes(feature) ? fc.constant(null) : arbitrary;
  return fc.record({
    backward: direction === 'both' ? fc.boolean() : fc.constant(direction === 'backward'),
    layout: partitionArbitrary(options.maxRanks),
    shape: shapeArbitrary(options.shape),
    masks: maskArbitrary().map((masks) => ({
      causal: without.includes('causal') ? ('none' as const) : masks.causal,
      window: without.includes('window') ? null : masks.window,
      mask: without.includes('mask') ? null : masks.mask,
      lengths: without.includes('varlen') ? null : masks.lengths,
      media: without.includes('media') ? null : masks.media,
      poison: masks.poison && !without.includes('poison'),
    })),
    // Who cannot mask is asked no bias that masks.
    bias: unless('bias', sometimes(biasArbitrary(), 3)).map((bias) =>
      bias !== null && without.includes('mask') ? { ...bias, masked: 0 } : bias,
    ),
    sink: unless('sink', sometimes(fc.constantFrom(0, 300, -300), 3)),
    softcap: unless('softcap', sometimes(fc.constantFrom(2, 0.5, 30), 4)),
    dropout: unless('dropout', sometimes(fc.constantFrom(0.5, 0.25, 0.1), 4)),
    dLse: unless('dlse', sometimes(fc.constant(true), 2)),
    dimY: unless('recompute', sometimes(fc.integer({ min: 1, max: options.shape?.dimY ?? 4 }), 4)),
    scale: fc.oneof(
      { weight: 3, arbitrary: fc.constant('root' as const) },
      { weight: 2, arbitrary: fc.constantFrom(1, 0, -0.5, 2, 0.1) },
    ),
    dtype: fc.constantFrom(...dtypes),
    scoreRegime: regimeArbitrary(regimes),
    valueRegime: regimeArbitrary(regimes),
    seed: seedArbitrary,
  });
}

function wantsOf({ backward, bias, sink, dimY }: CaseRecipe): OutputName[] {
  if (!backward) return ['out', 'lse'];
  const wants: OutputName[] = ['out', 'lse', 'd_q', 'd_k', 'd_v'];
  if (bias !== null) wants.push('d_bias');
  if (sink !== null) wants.push('d_sink');
  if (dimY !== null) wants.push('d_y', 'd_w_k', 'd_w_v');
  return wants;
}

/** NaN and infinities in the keys and values of keys that nobody attends to. */
function poison(parameters: CaseParameters, inputs: CaseInputs): void {
  const { heads, seq_q } = parameters;
  const visible = visibility({ parameters, inputs, judging: 'structured' });
  const seen = (b: number, g: number, j: number): boolean => {
    for (let h = 0; h < heads; h++) {
      if (kvHead(parameters, h) !== g) continue;
      for (let i = 0; i < seq_q; i++) if (visible(b, h, i, j)) return true;
    }
    return false;
  };
  const venom = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [n, tensor] of [inputs.k, inputs.v].entries()) {
    if (tensor === undefined) continue;
    forEachIndex(tensor.shape, ([b = 0, g = 0, j = 0, c = 0]) => {
      if (!seen(b, g, j)) tensor.set(b, g, j, c, venom[(j + c + n) % 3] ?? Number.NaN);
    });
  }
}

function inputsOf(recipe: CaseRecipe): CaseInputs {
  const { shape, dtype, seed, masks, bias, sink, dropout, dimY, backward } = recipe;
  const { batch, heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v } = shape;
  const scores = { seed, regime: recipe.scoreRegime, dtype };
  const values = { seed, regime: recipe.valueRegime, dtype };
  const inputs: CaseInputs = {
    q: drawTensor(scores, 'q', [batch, heads, seq_q, head_dim]),
    ...drawMask(masks, shape, seed),
  };
  if (dimY === null) {
    inputs.k = drawTensor(scores, 'k', [batch, kv_heads, seq_kv, head_dim]);
    inputs.v = drawTensor(values, 'v', [batch, kv_heads, seq_kv, head_dim_v]);
  } else {
    inputs.y = drawTensor(values, 'y', [batch, seq_kv, dimY]);
    inputs.w_k = drawTensor(scores, 'w_k', [dimY, kv_heads * head_dim]);
    inputs.w_v = drawTensor(values, 'w_v', [dimY, kv_heads * head_dim_v]);
  }
  if (backward) {
    inputs.d_out = drawTensor(values, 'd_out', [batch, heads, seq_q, head_dim_v]);
    if (recipe.dLse !== null) inputs.d_lse = drawTensor(values, 'd_lse', [batch, heads, seq_q]);
  }
  if (bias !== null) inputs.bias = drawBias(bias, shape, dtype, seed);
  if (sink !== null) {
    inputs.sink = drawTensor({ seed, regime: 'normal', dtype }, 'sink', [heads], sink);
  }
  if (dropout !== null) {
    const full = [batch, heads, seq_q, seq_kv];
    const keep = tensorOf<number>(new Float64Array(elementCount(full)), full);
    forEachIndex(full, (index) => {
      keep.set(...index, integerAt(seed, 'dropout_keep', index, 100) < dropout * 100 ? 0 : 1);
    });
    inputs.dropout_keep = keep;
  }
  return inputs;
}

/** The case of a recipe, validated. Random regimes of independent values are judged as random. */
export function buildCase(recipe: CaseRecipe): AttentionCase {
  const { shape, dtype, masks, softcap, dropout, dimY, scale } = recipe;
  const parameters: CaseParameters = {
    schema: 1,
    id: 'drawn',
    dtype,
    ...shape,
    ...(dimY === null ? {} : { dim_y: dimY }),
    scale: scale === 'root' ? rootScale(shape.head_dim) : scale,
    softcap: softcap ?? 0,
    causal: masks.causal,
    window: masks.window,
    media: masks.media?.rule ?? null,
    dropout_rate: dropout ?? 0,
    wants: wantsOf(recipe),
    partition: layout(recipe.layout, shape.seq_q, shape.seq_kv),
  };
  const inputs = inputsOf(recipe);
  if (masks.poison) poison(parameters, inputs);
  const independent = [recipe.scoreRegime, recipe.valueRegime].every((name) => name === 'normal');
  return validateCase(parameters, inputs, independent ? 'random' : 'structured');
}

/** Whole cases. Shrinks towards one query, one key, one head, plain integers, one rank, forward. */
export function caseArbitrary(options: CaseOptions = {}): fc.Arbitrary<AttentionCase> {
  return recipeArbitrary(options).map(buildCase);
}
