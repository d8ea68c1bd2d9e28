import { describe, expect, it } from 'vitest';
import { drawCase } from '../draw-case.ts';
import { forEachIndex, rangedTensor, type Tensor, toFlat } from '../tensor.ts';
import { recomputedKeys } from './features.ts';
import { kernelModule } from './module.ts';

const plain = (length: number) => new Float64Array(length);

describe('recomputed keys', () => {
  // More keys than are recomputed at a time, and neither a multiple of anything.
  const c = drawCase(3, {
    ...{ dim_y: 3, batch: 2, heads: 2, kv_heads: 2, seq_q: 1, seq_kv: 2101, gradients: false },
    ...{ head_dim: 5, head_dim_v: 3 },
  });
  const { k, v, errors } = recomputedKeys(kernelModule(), c, plain);

  it('are the rows of Y W of each head, within their errors, however many', () => {
    const { y, w_k, w_v } = c.inputs;
    const check = (tensor: Tensor, w: Tensor, error: Float64Array, norms: Float64Array) => {
      const [, heads = 0, , width = 0] = tensor.shape;
      forEachIndex(tensor.shape, ([b = 0, h = 0, j = 0, e = 0]) => {
        const terms = [0, 1, 2].map((n) => y!.get(b, j, n) * w.get(n, h * width + e));
        const off = Math.abs(tensor.get(b, h, j, e) - (terms[0]! + terms[1]! + terms[2]!));
        const bound = error[(b * heads + h) * width + e]!;
        // The sum here is itself off by as much.
        if (off > 2 * bound || bound > 1e-12) throw new Error(`${[b, h, j, e]}: ${off} ${bound}`);
        if (bound > norms[b * heads + h]!) throw new Error(`${[b, h]}: ${bound}`);
      });
    };
    check(k, w_k!, errors.key, errors.keyNorm);
    check(v, w_v!, errors.value, errors.valueNorm);
  });

  it('have the same bits when the features are read in ranges', () => {
    const data = Float64Array.from(toFlat(c.inputs.y!));
    const read = (start: number, target: Float64Array) =>
      target.set(data.subarray(start, start + target.length));
    const storage = { length: data.length, format: null, get: (n: number) => data[n]!, read };
    const y = rangedTensor(storage, c.inputs.y!.shape);
    const ranged = recomputedKeys(kernelModule(), { ...c, inputs: { ...c.inputs, y } }, plain);
    expect(ranged.k.data).toEqual(k.data);
    expect(ranged.v.data).toEqual(v.data);
    expect(ranged.errors).toEqual(errors);
  });
});
