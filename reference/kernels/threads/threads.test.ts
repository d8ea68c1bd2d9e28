import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { oneHead } from '../../case/one-head.ts';
import { forEachIndex, type Tensor, tensorOf, toFlat } from '../../numbers/tensor.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { type Certified, certify } from '../float64/certify.ts';
import { collect } from './collect.ts';
import { workOff } from './threads.ts';

/** Some entries of one axis, of every output. */
function part(certified: Certified, axis: number, at: readonly number[]): Certified {
  const of = (tensor: Tensor): Tensor => {
    const few = tensor.shape.map((n, k) => (k === axis ? at.length : n));
    const values: number[] = [];
    forEachIndex(few, (index) => {
      values.push(tensor.get(...index.map((x, k) => (k === axis ? at[x]! : x))));
    });
    return tensorOf(values, few);
  };
  return Object.fromEntries(
    Object.entries(certified).map(([name, { mid, radius }]) => [
      name,
      { mid: of(mid), radius: of(radius) },
    ]),
  );
}

const flat = (certified: Certified) =>
  Object.entries(certified).map(([name, { mid, radius }]) => [
    name,
    toFlat(mid).map((x) => (Object.is(x, -0) ? '-0' : x)),
    toFlat(radius),
  ]);

describe('threads of the kernels', () => {
  const cases = FEATURE_CASES.filter(([name]) =>
    ['everything', 'gqa', 'recompute', 'poisoned masked keys', 'no keys'].includes(name),
  );

  for (const [name, changes] of cases) {
    it(`give the same bits, however many: ${name}`, () => {
      const c = drawCase(9, changes);
      const one = flat(certify(c));
      for (const threads of [2, 3]) {
        expect(flat(certify(c, { threads }))).toEqual(one);
      }
    });
  }

  it('give the same bits on several tiles of several heads, run after run', () => {
    const c = drawCase(2, { heads: 4, kv_heads: 4, seq_q: 200, seq_kv: 1100, batch: 1 });
    const one = flat(certify(c));
    for (let run = 0; run < 3; run++) {
      expect(flat(certify(c, { threads: 2 }))).toEqual(one);
    }
  });

  it('give the same bits however the rows of heads that share their keys are divided', () => {
    const c = drawCase(4, {
      ...{ heads: 6, kv_heads: 2, seq_q: 137, seq_kv: 300, batch: 1, gradients: false },
      ...{ causal: 'bottom-right', sink: true, bias: [1, 6, 137, 300] },
    });
    const one = certify(c);
    for (const threads of [2, 3, 7]) expect(flat(certify(c, { threads }))).toEqual(flat(one));
    // One head at a time has nothing to share.
    for (let h = 0; h < 6; h++)
      expect(flat(certify(oneHead(c, 0, h)))).toEqual(flat(part(one, 1, [h])));
  });

  it('give rows of a sample the bits of the whole run, radii too where every key is seen', () => {
    const shape = { heads: 6, kv_heads: 2, seq_q: 137, seq_kv: 300, batch: 1, gradients: false };
    const c = drawCase(4, shape);
    const whole = certify(c);
    for (const rows of [[3], [0, 1, 2, 130, 136], Array.from({ length: 136 }, (_, n) => n + 1)]) {
      const chosen = flat(part(whole, 2, rows));
      for (const threads of [1, 2]) {
        expect(flat(certify(c, { rows, threads }))).toEqual(chosen);
      }
    }
  });

  it('let go of the tensors of a task when it is over', async () => {
    const shape = { batch: 1, heads: 2, kv_heads: 2, seq_q: 1, seq_kv: 4e4, head_dim: 8 };
    const c = drawCase(3, { ...shape, head_dim_v: 8, wants: ['d_k', 'd_v'] });
    let bytes = 0;
    const resident = async (): Promise<number> => {
      const { d_k, d_v } = certify(c, { threads: 2 });
      bytes = 16 * ((d_k?.mid.data.length ?? 0) + (d_v?.mid.data.length ?? 0));
      await setTimeout(50);
      collect();
      return process.memoryUsage.rss();
    };
    const first = await resident();
    let most = first;
    for (let run = 0; run < 6; run++) most = Math.max(most, await resident());
    expect(bytes).toBeGreaterThan(2e7);
    // What a run leaves behind is there until the thread has come round to it; not that of all six.
    expect(most - first).toBeLessThan(3 * bytes);
  });

  it('refuse a number of threads that is none', () => {
    const c = drawCase(1);
    for (const threads of [0, 1.5, -1, Number.NaN]) {
      expect(() => certify(c, { threads })).toThrow('"threads" expected');
    }
  });

  it('take every unit once, and stop when one fails', () => {
    const counters = new Int32Array(new SharedArrayBuffer(12));
    const taken: number[] = [];
    workOff(counters, 5, (n) => taken.push(n));
    expect([taken, counters[1]]).toEqual([[0, 1, 2, 3, 4], 5]);
    const failing = new Int32Array(new SharedArrayBuffer(12));
    expect(() =>
      workOff(failing, 5, (n) => {
        if (n === 2) throw new Error('unit 2');
      }),
    ).toThrow('unit 2');
    expect(failing[2]).toBe(1);
  });
});
