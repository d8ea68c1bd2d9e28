import { describe, expect, it } from 'vitest';
import type { End } from './balls.ts';
import { assertNotEmpty, enclose } from './enclosure.ts';
import { FORMATS, maxFinite } from './format.ts';

const at = (near: number, side = 0): End => ({ near, side });

describe('an enclosure', () => {
  it('decides nothing where its ends overflow to different sides, in any format', () => {
    for (const format of FORMATS) {
      const far = format === 'f64' ? Number.POSITIVE_INFINITY : 2 * maxFinite(format);
      for (const [low, high] of [
        [-far, far],
        [-far, 0],
        [-1, far],
        [maxFinite(format), far],
      ] as const) {
        expect([format, enclose(format, at(low), at(high)).rounded]).toEqual([format, null]);
      }
    }
  });

  it('decides overflow to one side, as the format writes it', () => {
    for (const format of FORMATS) {
      const far = format === 'f64' ? Number.POSITIVE_INFINITY : 2 * maxFinite(format);
      const want = format === 'fp8-e4m3' ? Number.NaN : Number.POSITIVE_INFINITY;
      expect([format, enclose(format, at(far), at(2 * far)).rounded]).toEqual([format, want]);
      expect([format, enclose(format, at(-2 * far), at(-far)).rounded]).toEqual([format, -want]);
    }
  });

  it('takes zeros of both signs for one', () => {
    const { rounded } = enclose('f32', at(-(2 ** -200)), at(2 ** -200));
    expect(Object.is(rounded, 0)).toBe(true);
  });

  it('that holds no number is refused, and so is one without ends', () => {
    expect(() => enclose('f64', at(1), at(0.5))).toThrow('holds no number');
    expect(() => enclose('f64', at(Number.NaN), at(1))).toThrow('holds no number');
    expect(() => assertNotEmpty({ lo: 1, hi: 0 }, 'out 0')).toThrow('out 0');
  });
});
