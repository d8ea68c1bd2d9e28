/**
 * Stacks that tests go through: every fusion, norm and mask in some layer shape.
 * @module
 */
import type { Tensor } from '../../reference/numbers/tensor.ts';
import { type StackInputs, type StackShape, WEIGHT_NAMES } from '../stack/shape.ts';

const PLAIN: StackShape = {
  ...{ layers: 2, batch: 1, seq_q: 3, seq_kv: 4, hidden: 4, visual_dim: 3 },
  ...{ heads: 2, kv_heads: 1, head_dim: 2, scale: 0.75, epsilon: 1 },
  ...{ norm: 'none', headNorm: false, fusion: 'tanh', media: null },
  partition: { ranks: 1, q: [3], kv: [4] },
};

/** The same on one rank, with other extents. */
export function stackOf(changes: Partial<StackShape>): StackShape {
  const merged = { ...PLAIN, ...changes };
  const partition = { ranks: 1, q: [merged.seq_q], kv: [merged.seq_kv] };
  return { ...merged, partition: changes.partition ?? partition };
}

export const STACKS: readonly (readonly [string, Partial<StackShape>])[] = [
  ['plain layers', {}],
  ['Flamingo', { norm: 'layer', media: 'immediate', kv_heads: 2 }],
  ['Llama 3-V', { norm: 'rms', headNorm: true, media: 'previous', batch: 2 }],
  ['mPLUG-Owl3', { norm: 'rms', fusion: 'sigmoid', media: 'previous' }],
  ['mPLUG-Owl3 with one softmax', { norm: 'rms', fusion: 'softmax', media: 'previous' }],
  [
    'everything at once',
    { norm: 'layer', headNorm: true, fusion: 'softmax', media: 'immediate', layers: 3 },
  ],
  ['a gate and normalised heads', { headNorm: true, fusion: 'sigmoid' }],
];

/** All tensors that a stack has gradients of, or all gradients, by name. */
export function stackTensors<T>({
  x,
  y,
  layers,
}: Pick<StackInputs<T>, 'x' | 'y' | 'layers'>): [string, Tensor<T>][] {
  const named: [string, Tensor<T>][] = [
    ['x', x],
    ['y', y],
  ];
  for (const [l, weights] of layers.entries()) {
    for (const name of WEIGHT_NAMES) {
      const tensor = weights[name];
      if (tensor !== undefined) named.push([`layers[${l}].${name}`, tensor]);
    }
  }
  return named;
}
