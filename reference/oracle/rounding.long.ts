/**
 * Correct rounding of 100 000 elements in every format, at and beside midpoints.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../numbers/format.ts';
import { checkRounding, nearTieCase } from '../testing/near-ties.ts';

const ELEMENTS = Number(process.env.XATTN_LONG_ROUNDINGS ?? 100_000);

describe('correct rounding at and beside midpoints, at length', () => {
  for (const format of FORMATS) {
    it(`of ${ELEMENTS} elements in ${format}`, () => {
      let [checked, seed] = [0, 1000];
      for (; checked < ELEMENTS; seed++) {
        const result = checkRounding(format, nearTieCase(seed, format));
        expect([seed, result.wrong]).toEqual([seed, []]);
        checked += result.checked;
      }
      console.log(`${format}: ${checked} elements rounded correctly`);
    });
  }
});
