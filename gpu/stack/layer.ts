/**
 * One layer of a stack on one rank: everything but attention, forward and backward.
 *
 * Rows and keys of a rank are its own, so nothing here knows of other ranks. Gradients of weights
 * are a rank's share; those of text rows and visual features are whole.
 * @module
 */
import type { Arithmetic } from '../../reference/numbers/arithmetic.ts';
import {
  filled,
  mapTensor,
  type Tensor,
  tensorOf,
  toFlat,
} from '../../reference/numbers/tensor.ts';
import type { KeySource } from './attention.ts';
import { type Numbers, sigmoid } from './numbers.ts';
import {
  dot,
  headsOf,
  linear,
  type NormWeights,
  normalise,
  normaliseGradient,
  projectionGradient,
  rowsOf,
  toHeads,
  zip,
} from './rows.ts';
import {
  type LayerParts,
  type StackShape,
  type WeightName,
  type Weights,
  weightOf,
} from './shape.ts';

/** What each softmax of a layer goes over. */
export function softmaxesOf({ fusion }: LayerParts): readonly (readonly KeySource[])[] {
  if (fusion === 'tanh') return [['visual']];
  return fusion === 'sigmoid' ? [['text'], ['visual']] : [['text', 'visual']];
}

/** A layer at work on one rank: its weights, and where their gradients are added up. */
export interface Layer<T> {
  readonly numbers: Numbers<T>;
  readonly shape: StackShape;
  readonly weights: Weights<T>;
}

/** Keys and values of one kind. */
export interface Pair<T> {
  readonly k: Tensor<T>;
  readonly v: Tensor<T>;
}

/** What a layer makes of its rows and keys, stored; heads not normalised yet. */
export interface Projected<T> {
  /** [B, Hq, rows, d] */
  readonly q: Tensor<T>;
  readonly keys: Partial<Readonly<Record<KeySource, Pair<T>>>>;
}

function rowNorm<T>({ shape, weights }: Layer<T>): NormWeights<T> | null {
  if (shape.norm === 'none') return null;
  const bias = shape.norm === 'layer' ? weightOf(weights, 'normBias') : null;
  return { weight: weightOf(weights, 'norm'), bias, epsilon: shape.epsilon };
}

const headNorm = <T>({ shape, weights }: Layer<T>, name: 'qNorm' | 'kNorm'): NormWeights<T> => ({
  ...{ weight: weightOf(weights, name), bias: null },
  epsilon: shape.epsilon,
});

/** n = norm(x), [B, rows, hidden]. */
export function normalRows<T>(layer: Layer<T>, x: Tensor<T>): Tensor<T> {
  const norm = rowNorm(layer);
  return norm === null ? x : layer.numbers.stored(normalise(layer.numbers, norm, x));
}

/** Which projections make the keys and values of a kind. */
const KEY_WEIGHTS: Readonly<Record<KeySource, readonly [WeightName, WeightName]>> = {
  visual: ['wK', 'wV'],
  text: ['wKText', 'wVText'],
};

/** Q, K and V of a layer: from its normalised rows, and from the features. */
export function projected<T>(layer: Layer<T>, n: Tensor<T>, y: Tensor<T>): Projected<T> {
  const { numbers, shape, weights } = layer;
  const through = (rows: Tensor<T>, name: WeightName, heads: number): Tensor<T> =>
    numbers.stored(toHeads(numbers.arithmetic, rows, weightOf(weights, name), heads));
  const keys: Partial<Record<KeySource, Pair<T>>> = {};
  for (const from of softmaxesOf(shape).flat()) {
    const [wK, wV] = KEY_WEIGHTS[from];
    const rows = from === 'text' ? n : y;
    keys[from] = {
      k: through(rows, wK, shape.kv_heads),
      v: through(rows, wV, shape.kv_heads),
    };
  }
  return { q: through(n, 'wQ', shape.heads), keys };
}

/** Keys and values of a kind that a layer must have. */
export function pairOf<T>({ keys }: Projected<T>, from: KeySource): Pair<T> {
  const pair = keys[from];
  if (pair === undefined) throw new Error(`a layer expected ${from} keys, got none`);
  return pair;
}

/** Q and K as they enter the scores: each head normalised where the layer does that. */
export function attending<T>(layer: Layer<T>, { q, keys }: Projected<T>): Projected<T> {
  if (!layer.shape.headNorm) return { q, keys };
  const normal = (name: 'qNorm' | 'kNorm', heads: Tensor<T>) =>
    layer.numbers.stored(normalise(layer.numbers, headNorm(layer, name), heads));
  const normalised: Partial<Record<KeySource, Pair<T>>> = {};
  for (const [from, { k, v }] of Object.entries(keys) as [KeySource, Pair<T>][]) {
    normalised[from] = { k: normal('kNorm', k), v };
  }
  return { q: normal('qNorm', q), keys: normalised };
}

/** σ(n W_g) of every row, [B, rows]. */
function rowGates<T>({ numbers, weights }: Layer<T>, n: Tensor<T>): Tensor<T> {
  const logits = linear(numbers.arithmetic, n, weightOf(weights, 'gate'));
  const gates = toFlat(logits).map((logit) => sigmoid(numbers.arithmetic, logit));
  return tensorOf(gates, logits.shape.slice(0, 2));
}

/** One tensor of all heads' outputs, of the outputs of the layer's softmaxes. */
function fused<T>(layer: Layer<T>, n: Tensor<T>, outs: readonly Tensor<T>[]): Tensor<T> {
  const [first, second] = outs;
  if (first === undefined) throw new Error('a layer expected an output of attention, got none');
  if (layer.shape.fusion !== 'sigmoid' || second === undefined) return first;
  const { arithmetic } = layer.numbers;
  const { one, add, sub, mul } = arithmetic;
  const gates = rowGates(layer, n);
  const out = filled<T>(first.shape, arithmetic.zero);
  forEachHead(first, ([b, h, i, c]) => {
    const g = gates.get(b, i);
    const self = mul(sub(one, g), first.get(b, h, i, c));
    out.set(b, h, i, c, add(self, mul(g, second.get(b, h, i, c))));
  });
  return out;
}

function forEachHead<T>(
  { shape }: Tensor<T>,
  visit: (at: readonly [number, number, number, number]) => void,
): void {
  const [batch = 0, heads = 0, rows = 0, width = 0] = shape;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < rows; i++) for (let c = 0; c < width; c++) visit([b, h, i, c]);
    }
  }
}

/** The factor of what a layer adds to its rows: tanh of its gate, or 1. */
const factorOf = <T>({ numbers, shape, weights }: Layer<T>): T =>
  shape.fusion === 'tanh'
    ? numbers.arithmetic.tanh(weightOf(weights, 'gate').get(0))
    : numbers.arithmetic.one;

/** The layer's rows, [B, rows, hidden], of its softmaxes' outputs. */
export function closed<T>(
  layer: Layer<T>,
  x: Tensor<T>,
  n: Tensor<T>,
  outs: readonly Tensor<T>[],
): Tensor<T> {
  const { numbers, weights } = layer;
  const { arithmetic } = numbers;
  const o = rowsOf(arithmetic, fused(layer, n, outs));
  const u = linear(arithmetic, o, weightOf(weights, 'wO'));
  const factor = factorOf(layer);
  const { add, mul } = arithmetic;
  return numbers.stored(zip(arithmetic, x, u, (row, added) => add(row, mul(factor, added))));
}

const zerosLike = <T>({ zero }: Arithmetic<T>, { shape }: Tensor<T>): Tensor<T> =>
  filled<T>(shape, zero);

/** What goes back from a layer's rows into its attention. */
export interface Opened<T> {
  /** dO of each softmax, [B, Hq, rows, d], stored. */
  readonly dOuts: readonly Tensor<T>[];
  /** What of the gradient of n does not come through attention, [B, rows, hidden]. */
  readonly dN: Tensor<T>;
  readonly gradients: Weights<T>;
}

/** The backward pass of `closed`, from the gradient of the layer's rows. */
export function opened<T>(
  layer: Layer<T>,
  n: Tensor<T>,
  outs: readonly Tensor<T>[],
  dRows: Tensor<T>,
): Opened<T> {
  const { numbers, shape, weights } = layer;
  const { arithmetic } = numbers;
  const { one, sub, mul } = arithmetic;
  const wO = weightOf(weights, 'wO');
  const o = rowsOf(arithmetic, fused(layer, n, outs));
  const factor = factorOf(layer);
  const gradients: Weights<T> = {};
  if (shape.fusion === 'tanh') {
    // d tanh(g) = 1 − tanh²(g)
    const along = dot(arithmetic, dRows, linear(arithmetic, o, wO));
    gradients.gate = filled([1], mul(sub(one, mul(factor, factor)), along));
  }
  const dU = mapTensor(dRows, (d) => mul(factor, d));
  const dRowsOut = zerosLike(arithmetic, o);
  const headed = filled<T>([dU.shape[0] ?? 0, 1, dU.shape[1] ?? 0, shape.hidden], arithmetic.zero);
  forEachHead(headed, ([b, h, i, c]) => headed.set(b, h, i, c, dU.get(b, i, c)));
  gradients.wO = projectionGradient(arithmetic, o, wO, headed, dRowsOut);
  const dO = headsOf(arithmetic, dRowsOut, shape.heads);
  const dN = zerosLike(arithmetic, n);
  if (shape.fusion !== 'sigmoid') return { dOuts: [numbers.stored(dO)], dN, gradients };
  const { dOuts, gate } = gatesOpened(layer, n, outs, dO, dN);
  return { dOuts, dN, gradients: { ...gradients, gate } };
}

/** The two sides of a row's gate g: dO·(1 − g) and dO·g; and through σ' = g(1 − g) to its weights. */
function gatesOpened<T>(
  layer: Layer<T>,
  n: Tensor<T>,
  outs: readonly Tensor<T>[],
  dO: Tensor<T>,
  dN: Tensor<T>,
): { readonly dOuts: readonly Tensor<T>[]; readonly gate: Tensor<T> } {
  const { numbers, weights } = layer;
  const { arithmetic } = numbers;
  const { zero, one, add, sub, mul } = arithmetic;
  const [self, cross] = outs;
  if (self === undefined || cross === undefined) throw new Error('a gate expected two outputs');
  const gates = rowGates(layer, n);
  const [dSelf, dCross] = [zerosLike(arithmetic, dO), zerosLike(arithmetic, dO)];
  const [batch = 0, rows = 0] = gates.shape;
  const dLogits = filled<T>([batch, 1, rows, 1], zero);
  forEachHead(dO, ([b, h, i, c]) => {
    const [g, d] = [gates.get(b, i), dO.get(b, h, i, c)];
    dSelf.set(b, h, i, c, mul(sub(one, g), d));
    dCross.set(b, h, i, c, mul(g, d));
    const apart = sub(cross.get(b, h, i, c), self.get(b, h, i, c));
    const slope = mul(g, sub(one, g));
    dLogits.set(b, 0, i, 0, add(dLogits.get(b, 0, i, 0), mul(slope, mul(d, apart))));
  });
  const gate = projectionGradient(arithmetic, n, weightOf(weights, 'gate'), dLogits, dN);
  return { dOuts: [numbers.stored(dSelf), numbers.stored(dCross)], gate };
}

/** Gradients of what attends, as attention gives them: of each kind summed over its softmaxes. */
export interface AttendingGradients<T> {
  readonly dQ: Tensor<T>;
  readonly keys: Partial<
    Readonly<Record<KeySource, { readonly dK: Tensor<T>; readonly dV: Tensor<T> }>>
  >;
}

/** The backward pass of a head norm; its weights' gradient is added into `sum`. */
function headGradient<T>(
  layer: Layer<T>,
  name: 'qNorm' | 'kNorm',
  heads: Tensor<T>,
  dHeads: Tensor<T>,
  sum: Tensor<T> | undefined,
): Tensor<T> {
  if (sum === undefined) return dHeads;
  const sums = { weight: sum, bias: null };
  return normaliseGradient(layer.numbers, headNorm(layer, name), heads, dHeads, sums);
}

/**
 * The backward pass of `attending`, `projected` and `normalRows`: what goes on to x; the features'
 * gradient is added into `dY`, the rows' that came past attention is in `dN`.
 */
export function unprojected<T>(
  layer: Layer<T>,
  { x, n, y }: { readonly x: Tensor<T>; readonly n: Tensor<T>; readonly y: Tensor<T> },
  plain: Projected<T>,
  { dQ, keys }: AttendingGradients<T>,
  { dN, dY }: { readonly dN: Tensor<T>; readonly dY: Tensor<T> },
): { readonly dX: Tensor<T>; readonly gradients: Weights<T> } {
  const { numbers, shape, weights } = layer;
  const { arithmetic } = numbers;
  const gradients: Weights<T> = {};
  if (shape.headNorm) {
    gradients.qNorm = filled([shape.head_dim], arithmetic.zero);
    gradients.kNorm = filled([shape.head_dim], arithmetic.zero);
  }
  const dQueries = headGradient(layer, 'qNorm', plain.q, dQ, gradients.qNorm);
  gradients.wQ = projectionGradient(arithmetic, n, weightOf(weights, 'wQ'), dQueries, dN);
  for (const from of softmaxesOf(shape).flat()) {
    const given = keys[from];
    if (given === undefined)
      throw new Error(`a layer expected gradients of ${from} keys, got none`);
    const [wK, wV] = KEY_WEIGHTS[from];
    const [rows, dRows] = from === 'text' ? [n, dN] : [y, dY];
    const dK = headGradient(layer, 'kNorm', pairOf(plain, from).k, given.dK, gradients.kNorm);
    gradients[wK] = projectionGradient(arithmetic, rows, weightOf(weights, wK), dK, dRows);
    gradients[wV] = projectionGradient(arithmetic, rows, weightOf(weights, wV), given.dV, dRows);
  }
  const norm = rowNorm(layer);
  if (norm === null) return { dX: dN, gradients };
  gradients.norm = filled([shape.hidden], arithmetic.zero);
  const bias = norm.bias === null ? null : filled([shape.hidden], arithmetic.zero);
  if (bias !== null) gradients.normBias = bias;
  const dX = normaliseGradient(numbers, norm, x, dN, { weight: gradients.norm, bias });
  return { dX, gradients };
}
