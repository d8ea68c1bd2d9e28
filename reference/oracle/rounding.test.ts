import { describe, expect, it } from 'vitest';
import { FORMATS } from '../numbers/format.ts';
import { checkRounding, nearTieCase } from '../testing/near-ties.ts';

describe('correct rounding at and beside midpoints', () => {
  for (const format of FORMATS) {
    it(`in ${format}`, () => {
      let checked = 0;
      for (let seed = 0; seed < 6; seed++) {
        const result = checkRounding(format, nearTieCase(seed, format));
        expect([seed, result.wrong]).toEqual([seed, []]);
        checked += result.checked;
      }
      expect(checked).toBe(6 * 128);
    });
  }
});
