/**
 * Random stacks: inputs and weights of any shape, drawn from a seed, the same bits on every machine.
 * @module
 */
import { drawing } from '../../reference/case/draw-case.ts';
import { elementCount, type Tensor, tensorOf } from '../../reference/numbers/tensor.ts';
import {
  type StackInputs,
  type StackShape,
  type WeightName,
  type Weights,
  weightShapes,
} from './shape.ts';

const NORM_WEIGHTS: readonly WeightName[] = ['norm', 'qNorm', 'kNorm'];

/**
 * Rows, features and cotangents close to normal; weights of a projection so scaled that they keep
 * that size, of norms about 1. Without gates of 0, with which a model begins and nothing would pass.
 * Images follow one another, each of `keys_per_image` keys; text before the first sees none.
 */
export function drawStack(
  seed: number,
  s: StackShape,
  { keys_per_image = 1 }: { readonly keys_per_image?: number } = {},
): StackInputs<number> {
  const { uniform, normal } = drawing(seed);
  const fill = (shape: readonly number[], value: () => number): Tensor =>
    tensorOf<number>(Float64Array.from({ length: elementCount(shape) }, value), shape);
  const weightsOf = (): Weights<number> => {
    const weights: Weights<number> = {};
    for (const [name, shape] of weightShapes(s)) {
      const fanIn = shape.length === 2 ? Math.sqrt(shape[0] ?? 1) : 4;
      const about = NORM_WEIGHTS.includes(name) ? 1 : 0;
      weights[name] = fill(shape, () => about + normal() / fanIn);
    }
    return weights;
  };
  const images = Math.max(1, Math.ceil(s.seq_kv / keys_per_image));
  return {
    x: fill([s.batch, s.seq_q, s.hidden], normal),
    y: fill([s.batch, s.seq_kv, s.visual_dim], normal),
    dOut: fill([s.batch, s.seq_q, s.hidden], normal),
    layers: Array.from({ length: s.layers }, weightsOf),
    ...(s.media === null
      ? { mediaText: null, mediaKey: null }
      : {
          mediaText: textPositions(s, images, uniform),
          mediaKey: keyPositions(s, keys_per_image),
        }),
  };
}

/** Which image each key is of, from 1. */
function keyPositions(s: StackShape, each: number): Tensor {
  const place = (n: number): number => 1 + Math.floor((n % Math.max(1, s.seq_kv)) / each);
  const all = Float64Array.from({ length: s.batch * s.seq_kv }, (_, n) => place(n));
  return tensorOf<number>(all, [s.batch, s.seq_kv]);
}

/** How many images have come before each text row: images come anywhere, the first in the first half. */
function textPositions(s: StackShape, images: number, uniform: () => number): Tensor {
  const rows: number[] = [];
  for (let b = 0; b < s.batch; b++) {
    const places = Array.from(
      { length: images },
      (_, n) => (uniform() * s.seq_q) / (n === 0 ? 2 : 1),
    );
    for (let i = 0; i < s.seq_q; i++) rows.push(places.filter((place) => place <= i).length);
  }
  return tensorOf<number>(rows, [s.batch, s.seq_q]);
}
