import { describe, expect, it } from 'vitest';
import type { OutputName } from './case.ts';
import { drawCase } from './draw-case.ts';
import { oracle } from './oracle.ts';
import { toFlat } from './tensor.ts';
import { nastyCase } from './testing/nasty-cases.ts';

/** Takes decimals of every length, and leaves some elements open after them. */
const SLOW = nastyCase(6);

describe('the work that an answer may take', () => {
  it('leaves what exceeds it undecided, by name and with the reason', () => {
    const all = oracle(SLOW);
    const none = oracle(SLOW, { work: 0 });
    expect(none.undecided.length).toBeGreaterThan(all.undecided.length + 50);
    expect(new Set(none.undecided.map(({ why }) => why))).toEqual(new Set(['work']));
    expect(new Set(all.undecided.map(({ why }) => why))).toEqual(new Set(['digits']));
    expect(Object.keys(none.decidedBy).filter((name) => /big|exact/.test(name))).toEqual([]);
    const open = new Set(none.undecided.map(({ output, index }) => `${output} ${index}`));
    let compared = 0;
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
        if (Number.isNaN(truth)) return;
        compared++;
        expect([lo[flat]! <= truth, truth <= hi[flat]!]).toEqual([true, true]);
      });
    }
    expect(compared).toBeGreaterThan(100);
  });

  it('is counted: the same elements stay open each time, and fewer the more is granted', () => {
    const [once, again] = [oracle(SLOW, { work: 0.01 }), oracle(SLOW, { work: 0.01 })];
    expect(again.undecided).toEqual(once.undecided);
    const counts = [0, 0.01, 0.03, 1].map((work) => oracle(SLOW, { work }).undecided.length);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(new Set(counts).size).toBeGreaterThan(2);
    expect(once.undecided.some(({ why }) => why === 'work')).toBe(true);
  });

  it('may be limited by the clock, which is said', () => {
    const { undecided } = oracle(SLOW, { maxSeconds: 1e-9 });
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
