import { describe, expect, it } from 'vitest';
import { drawCase } from '../draw-case.ts';
import { toFlat } from '../tensor.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { type Certified, certify } from './certify.ts';
import { workOff } from './threads.ts';

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
