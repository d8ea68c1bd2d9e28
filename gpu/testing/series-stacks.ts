/**
 * Stacks over power series whose every value is one: what enters an exponential has no constant term,
 * what enters a root has a square for one.
 * @module
 */
import type { Fraction } from 'mathjs';
import { drawing } from '../../reference/case/draw-case.ts';
import { elementCount, type Tensor, tensorOf } from '../../reference/numbers/tensor.ts';
import { drawStack } from '../stack/draw.ts';
import {
  type StackInputs,
  type StackShape,
  type WeightName,
  type Weights,
  weightShapes,
} from '../stack/shape.ts';
import { constants, type Series } from './series.ts';

type Value = Series<Fraction>;
type Draw = () => number;

/**
 * Rows begin with ±3/4, as many of each, so that with ε = 1 their norms begin with √(9/16 + 1) = 5/4;
 * what a layer adds to them begins with the first power. Scores do so too, or with the second.
 */
export function seriesStack(seed: number, s: StackShape): StackInputs<Value> {
  if (s.epsilon !== 1 || s.hidden % 2 !== 0) {
    throw new RangeError('a stack over series expected "epsilon" 1 and an even "hidden"');
  }
  const { uniform } = drawing(seed);
  const integer: Draw = () => Math.floor(uniform() * 5) - 2;
  const value = (...coefficients: readonly number[]): Value =>
    coefficients.map(constants.fromNumber);
  const fill = (shape: readonly number[], element: (n: number) => Value): Tensor<Value> =>
    tensorOf<Value>(
      Array.from({ length: elementCount(shape) }, (_, n) => element(n)),
      shape,
    );
  /** From which power on a weight begins. */
  const small = (name: WeightName): boolean => {
    if (name === 'wK' || name === 'wKText' || name === 'gate') return true;
    return (name === 'wQ' && s.headNorm) || (name === 'wO' && s.fusion !== 'tanh');
  };
  const weightsOf = (): Weights<Value> => {
    const weights: Weights<Value> = {};
    for (const [name, shape] of weightShapes(s)) {
      weights[name] = fill(shape, () =>
        small(name) ? value(0, integer(), integer()) : value(integer(), integer()),
      );
    }
    return weights;
  };
  const { mediaText, mediaKey } = drawStack(seed, s, { keys_per_image: 2 });
  const rows = [s.batch, s.seq_q, s.hidden];
  return {
    mediaText,
    mediaKey,
    x: fill(rows, (n) => value(n % 2 === 0 ? 0.75 : -0.75, integer(), integer())),
    y: fill([s.batch, s.seq_kv, s.visual_dim], () => value(integer(), integer())),
    dOut: fill(rows, () => value(integer())),
    layers: Array.from({ length: s.layers }, weightsOf),
  };
}
