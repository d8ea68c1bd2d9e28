/**
 * A stack of cross-attention layers: which parts its layers have, their extents and weights.
 *
 * A layer normalises its text rows, projects queries from them and keys and values from the visual
 * features that all layers share, attends, projects the output back, and adds it to its rows:
 *
 *   n = norm(x), q = n W_Q, k = y W_K, v = y W_V, each head of q and k perhaps normalised
 *   tanh      x + tanh(g)·(cross W_O)                              Flamingo, Llama 3-V
 *   sigmoid   x + (self·(1 − σ(n W_g)) + cross·σ(n W_g)) W_O         mPLUG-Owl3
 *   softmax   x + (one softmax over text and visual keys) W_O      mPLUG-Owl3, later
 *
 * `self` is causal attention of the same queries over keys and values projected from n. What comes
 * after attention in a model's block (its feed-forward layer) touches rows alone and is not in here.
 * @module
 */
import type { MediaRule, Partition } from '../../reference/case/case.ts';
import type { Tensor } from '../../reference/numbers/tensor.ts';

export const FUSIONS = ['tanh', 'sigmoid', 'softmax'] as const;
export type Fusion = (typeof FUSIONS)[number];

export const NORMS = ['layer', 'rms', 'none'] as const;
/** Of rows before their projection: (x − mean)/deviation·w + b, or x/rms·w. */
export type Norm = (typeof NORMS)[number];

/** What every layer of a stack is made of. */
export interface LayerParts {
  readonly norm: Norm;
  /** RMSNorm of every head of Q and K, with weights that all heads of a layer share. */
  readonly headNorm: boolean;
  readonly fusion: Fusion;
}

export interface StackShape extends LayerParts {
  readonly layers: number;
  readonly batch: number;
  /** Text rows and visual keys of the whole sequence. */
  readonly seq_q: number;
  readonly seq_kv: number;
  /** Width of the text rows, and of the visual features. */
  readonly hidden: number;
  readonly visual_dim: number;
  readonly heads: number;
  readonly kv_heads: number;
  readonly head_dim: number;
  readonly scale: number;
  /** Added to mean squares before their root. */
  readonly epsilon: number;
  /** Which keys a text row sees, by media_text [B, Sq] and media_key [B, Skv]; null = all. */
  readonly media: MediaRule | null;
  readonly partition: Partition;
}

export const WEIGHT_NAMES = [
  ...(['norm', 'normBias', 'wQ', 'wK', 'wV', 'wO'] as const),
  ...(['qNorm', 'kNorm', 'gate', 'wKText', 'wVText'] as const),
] as const;
export type WeightName = (typeof WEIGHT_NAMES)[number];
/** A layer's weights, or their gradients; those that its parts have no use for are absent. */
export type Weights<T> = Partial<Record<WeightName, Tensor<T>>>;

/** Shapes of a layer's weights. Columns of projections to heads are head-major. */
export function weightShapes(s: StackShape): [WeightName, number[]][] {
  const [wide, grouped] = [s.heads * s.head_dim, s.kv_heads * s.head_dim];
  const withText = s.fusion !== 'tanh';
  const gates: Record<Fusion, [WeightName, number[]][]> = {
    tanh: [['gate', [1]]],
    sigmoid: [['gate', [s.hidden, 1]]],
    softmax: [],
  };
  const norms: Record<Norm, WeightName[]> = {
    layer: ['norm', 'normBias'],
    rms: ['norm'],
    none: [],
  };
  return [
    ...norms[s.norm].map((name): [WeightName, number[]] => [name, [s.hidden]]),
    ['wQ', [s.hidden, wide]],
    ['wK', [s.visual_dim, grouped]],
    ['wV', [s.visual_dim, grouped]],
    ['wO', [wide, s.hidden]],
    ...(s.headNorm ? (['qNorm', 'kNorm'] as const) : []).map((name): [WeightName, number[]] => [
      name,
      [s.head_dim],
    ]),
    ...gates[s.fusion],
    ...(withText ? (['wKText', 'wVText'] as const) : []).map((name): [WeightName, number[]] => [
      name,
      [s.hidden, grouped],
    ]),
  ];
}

/** A weight that a layer must have. */
export function weightOf<T>(weights: Weights<T>, name: WeightName): Tensor<T> {
  const tensor = weights[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  return tensor;
}

/** What goes into a stack. */
export interface StackInputs<T> {
  /** [B, Sq, hidden] and [B, Skv, visual_dim] */
  readonly x: Tensor<T>;
  readonly y: Tensor<T>;
  /** [B, Sq] and [B, Skv], where the stack has a media rule. */
  readonly mediaText: Tensor | null;
  readonly mediaKey: Tensor | null;
  readonly layers: readonly Weights<T>[];
  /** Cotangent of the last rows, [B, Sq, hidden]. */
  readonly dOut: Tensor<T>;
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, n) => extent === b[n]);

function expectShape(name: string, tensor: Tensor<unknown> | null | undefined, shape: number[]) {
  const got = tensor?.shape;
  if (got !== undefined && sameShape(got, shape)) return;
  const shown = got === undefined ? 'none' : JSON.stringify(got);
  throw new RangeError(`"${name}" expected shape ${JSON.stringify(shape)}, got ${shown}`);
}

const COUNTS = [
  ...(['layers', 'batch', 'seq_q', 'hidden', 'visual_dim'] as const),
  ...(['heads', 'kv_heads', 'head_dim'] as const),
] as const;

function checkExtents(s: StackShape): void {
  for (const name of COUNTS) {
    if (Number.isSafeInteger(s[name]) && s[name] >= 1) continue;
    throw new RangeError(`"${name}" expected a positive integer, got ${s[name]}`);
  }
  if (!Number.isSafeInteger(s.seq_kv) || s.seq_kv < 0) {
    throw new RangeError(`"seq_kv" expected a whole number, got ${s.seq_kv}`);
  }
  if (s.heads % s.kv_heads !== 0) {
    throw new RangeError(`"kv_heads" expected a divisor of heads (${s.heads}), got ${s.kv_heads}`);
  }
  for (const name of ['scale', 'epsilon'] as const) {
    if (Number.isFinite(s[name]) && (name === 'scale' || s[name] >= 0)) continue;
    throw new RangeError(`"${name}" expected a finite number, got ${s[name]}`);
  }
  const { ranks, q, kv } = s.partition;
  for (const [name, sizes, total] of [
    ['q', q, s.seq_q],
    ['kv', kv, s.seq_kv],
  ] as const) {
    const whole = sizes.every((size) => Number.isSafeInteger(size) && size >= 0);
    const sum = sizes.reduce((a, b) => a + b, 0);
    if (ranks >= 1 && sizes.length === ranks && whole && sum === total) continue;
    throw new RangeError(
      `"partition.${name}" expected ${ranks} sizes that add up to ${total}, got [${sizes}]`,
    );
  }
}

/** Throws a RangeError that names what does not fit. */
export function checkStack<T>(s: StackShape, inputs: StackInputs<T>): void {
  checkExtents(s);
  expectShape('x', inputs.x, [s.batch, s.seq_q, s.hidden]);
  expectShape('dOut', inputs.dOut, [s.batch, s.seq_q, s.hidden]);
  expectShape('y', inputs.y, [s.batch, s.seq_kv, s.visual_dim]);
  if (s.media !== null) {
    expectShape('mediaText', inputs.mediaText, [s.batch, s.seq_q]);
    expectShape('mediaKey', inputs.mediaKey, [s.batch, s.seq_kv]);
  }
  if (inputs.layers.length !== s.layers) {
    throw new RangeError(`"layers" expected ${s.layers} layers, got ${inputs.layers.length}`);
  }
  for (const [n, weights] of inputs.layers.entries()) {
    for (const [name, shape] of weightShapes(s))
      expectShape(`layers[${n}].${name}`, weights[name], shape);
  }
}
