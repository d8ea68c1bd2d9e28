import { describe, expect, it } from 'vitest';
import { decode8, encode8, type Float8 } from './float8.ts';
import { maxFinite, minNormal, minSubnormal, roundTo } from './format.ts';

const all = Array.from({ length: 256 }, (_, n) => n);

describe('8-bit formats', () => {
  for (const format of ['fp8-e4m3', 'fp8-e5m2'] as Float8[]) {
    it(`${format}: every pattern comes back, every number is one of the format`, () => {
      for (const pattern of all) {
        const value = decode8(format, pattern);
        if (Number.isNaN(value)) continue;
        expect(encode8(format, value)).toBe(pattern);
        expect(Object.is(roundTo(format, value), value) || !Number.isFinite(value)).toBe(true);
      }
    });

    it(`${format}: the landmarks of the OCP tables`, () => {
      const values = all.map((n) => decode8(format, n)).filter(Number.isFinite);
      const positive = values.filter((x) => x > 0);
      expect(Math.max(...values)).toBe(maxFinite(format));
      expect(Math.min(...positive)).toBe(minSubnormal(format));
      expect(values).toContain(minNormal(format));
      expect(new Set(positive).size).toBe(positive.length);
    });
  }

  it('overflows to NaN in e4m3 and to infinity in e5m2', () => {
    expect(encode8('fp8-e4m3', 465)).toBe(0x7f);
    expect(encode8('fp8-e4m3', Number.NEGATIVE_INFINITY)).toBe(0x7f);
    expect(encode8('fp8-e5m2', 70000)).toBe(0x7c);
    expect(encode8('fp8-e5m2', Number.NEGATIVE_INFINITY)).toBe(0xfc);
    expect(decode8('fp8-e4m3', 0xff)).toBeNaN();
    expect(decode8('fp8-e5m2', 0x7d)).toBeNaN();
    expect(decode8('fp8-e4m3', 0x08)).toBe(2 ** -6);
    expect(decode8('fp8-e5m2', 0x04)).toBe(2 ** -14);
  });
});
