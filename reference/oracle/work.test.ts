import { describe, expect, it } from 'vitest';
import type { OutputName } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { mapTensor, toFlat } from '../numbers/tensor.ts';
import { type OracleOptions, oracle } from './oracle.ts';

/**
 * V halfway between two f32 everywhere, under a softcap: no digits decide `out`, which is a tie, and
 * 60 are needed to see that dQ and dK are zero.
 */
const SLOW = drawCase(5, {
  dtype: 'f64',
  softcap: 2,
  heads: 1,
  seq_q: 4,
  seq_kv: 3,
  head_dim: 2,
  head_dim_v: 1,
  dLse: false,
  adjust: (inputs) => {
    inputs.v = mapTensor(inputs.v!, () => 1 + 2 ** -24);
  },
});
const ask = (options: OracleOptions = {}) => oracle(SLOW, { format: 'f32', ...options });

describe('the work that an answer may take', () => {
  it('leaves what exceeds it undecided, by name and with the reason', () => {
    const all = ask();
    const none = ask({ work: 0 });
    expect(none.undecided.length).toBeGreaterThan(all.undecided.length + 5);
    expect(new Set(none.undecided.map(({ why }) => why))).toEqual(new Set(['work']));
    expect(new Set(all.undecided.map(({ why }) => why))).toEqual(new Set(['digits']));
    expect(Object.keys(none.decidedBy).filter((name) => /big|exact/.test(name))).toEqual([]);
    const open = new Set(none.undecided.map(({ output, index }) => `${output} ${index}`));
    for (const [name, tensor] of Object.entries(none.values)) {
      const [lo, hi] = [toFlat(none.lo[name as OutputName]!), toFlat(none.hi[name as OutputName]!)];
      toFlat(tensor).forEach((value, flat) => {
        const index = tensor.shape.map((_, axis) => {
          const width = tensor.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
          return Math.floor(flat / width) % tensor.shape[axis]!;
        });
        // Decided as with more work, or named; enclosed either way.
        const truth = toFlat(all.values[name as OutputName]!)[flat]!;
        if (open.has(`${name} ${index}`)) expect(value).toBeNaN();
        else expect(value).toBe(truth);
        // Both hold the exact value.
        const [low, high] = [all.lo, all.hi].map((x) => toFlat(x[name as OutputName]!)[flat]!);
        expect([lo[flat]! <= high!, low! <= hi[flat]!]).toEqual([true, true]);
      });
    }
  });

  it('is counted: the same elements stay open each time, and fewer the more is granted', () => {
    const [once, again] = [ask({ work: 1e-4 }), ask({ work: 1e-4 })];
    expect(again.undecided).toEqual(once.undecided);
    const counts = [0, 3e-5, 1e-4, 2e-4, 1].map((work) => ask({ work }).undecided.length);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(new Set(counts).size).toBe(5);
    expect(once.undecided.some(({ why }) => why === 'work')).toBe(true);
  });

  it('may be limited by the clock, which is said', () => {
    const { undecided } = ask({ maxSeconds: 1e-9 });
    expect(new Set(undecided.map(({ why }) => why))).toEqual(new Set(['time']));
  });

  it('suffices for ordinary cases, and is a factor of 0 or more', () => {
    for (const format of ['f64', 'bf16'] as const) {
      expect(oracle(drawCase(3), { format }).undecided).toEqual([]);
    }
    for (const work of [-1, Number.NaN]) {
      expect(() => oracle(drawCase(3), { work })).toThrow('"work" expected a factor');
    }
  });
});
