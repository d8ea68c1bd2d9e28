/**
 * Small cases for the tests of this room: every output wanted, values without pattern, one seed.
 * @module
 */
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { type Tensor, tensorOf } from '../../reference/numbers/tensor.ts';
import type { SuiteCase } from '../suite.ts';

/** Multiples of 1/64 in [−1, 1): exact in every format. */
function scattered(shape: readonly number[], seed: number): Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const values = Float64Array.from({ length: count }, (_, i) => {
    const mixed = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
    return ((mixed >>> 9) % 128) / 64 - 1;
  });
  return tensorOf<number>(values, shape);
}

export function smallCase(id: string, gradients = true): AttentionCase {
  const wants: OutputName[] = gradients ? ['out', 'lse', 'd_q', 'd_k', 'd_v'] : ['out', 'lse'];
  const parameters = {
    schema: 1,
    id,
    dtype: 'f32',
    batch: 1,
    heads: 2,
    kv_heads: 2,
    seq_q: 3,
    seq_kv: 5,
    head_dim: 4,
    head_dim_v: 4,
    scale: 0.5,
    softcap: 0,
    causal: 'none',
    window: null,
    media: null,
    dropout_rate: 0,
    wants,
    partition: { ranks: 1, q: [3], kv: [5] },
  };
  const inputs = {
    q: scattered([1, 2, 3, 4], 1),
    k: scattered([1, 2, 5, 4], 2),
    v: scattered([1, 2, 5, 4], 3),
    ...(gradients ? { d_out: scattered([1, 2, 3, 4], 4) } : {}),
  };
  return validateCase(parameters, inputs);
}

export function smallSuite(ids: readonly string[]): SuiteCase[] {
  return ids.map((id) => ({
    id,
    shows: id.endsWith('b') ? 'a fault of b' : null,
    build: () => smallCase(id),
  }));
}
