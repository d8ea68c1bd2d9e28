import { describe, expect, it } from 'vitest';
import { entry, nth } from './nth.ts';

describe('an element that must be there', () => {
  it('is read as it is, zero and NaN included', () => {
    const data = Float64Array.of(1.5, 0, Number.NaN);
    expect([0, 1, 2].map((n) => nth(data, n))).toEqual([1.5, 0, Number.NaN]);
    expect([0, 1].map((n) => entry(['', 'b'], n))).toEqual(['', 'b']);
  });

  it('is refused where there is none, with the index that slipped', () => {
    for (const n of [-1, 3, 0.5, Number.NaN]) {
      const refusal = `"index" expected 0 to 2, got ${n}`;
      expect(() => nth(new Float64Array(3), n)).toThrow(new RangeError(refusal));
      expect(() => entry([4, 5, 6], n)).toThrow(new RangeError(refusal));
    }
  });
});
