import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coarseBounds } from '../reference/bounds/by-case/coarse-bounds.ts';
import { PROFILE_NAMES } from '../reference/bounds/lemmas/profile.ts';
import { toFlat } from '../reference/numbers/tensor.ts';
import { expectation } from '../reference/verdict/expectation.ts';
import { caseArbitrary } from './arbitraries/attention-case.ts';

const STORED = 2 ** -24;
/** What the judge adds for the radius of the exact value's ball, up to half a ULP, which no coarse bound has. */
const radius = (profile: string): number => (profile === 'f64' ? 1.1 : 1 + 2 ** -10);
/** Every base, and one with what options add. */
const PROFILES = [...PROFILE_NAMES, 'f32+sigmoid-merge+lazy-maximum+stored-partials'] as const;

describe('coarse bounds', () => {
  for (const profile of PROFILES) {
    it(`are at least the judge's, of every element of every output, at ${profile}`, () => {
      const seen = { finite: 0, elements: 0 };
      const factors: number[] = [];
      fc.assert(
        fc.property(caseArbitrary(), (c) => {
          const coarse = coarseBounds(c, profile);
          const { worstCase } = expectation(c, profile);
          for (const name of c.parameters.wants) {
            const bound = coarse(name, STORED);
            const fine = toFlat(worstCase.of(name, STORED)!);
            seen.elements += fine.length;
            if (bound === Number.POSITIVE_INFINITY) continue;
            seen.finite += fine.length;
            for (const one of fine)
              if (one > bound * radius(profile)) expect([name, one]).toEqual([name, bound]);
            const largest = Math.max(...fine);
            if (fine.length > 0 && largest > 0) factors.push(bound / largest);
          }
        }),
        { numRuns: 500, seed: 11 },
      );
      // Bounds of infinity would pass as well: most must be finite, and not far from the largest.
      factors.sort((a, b) => a - b);
      const median = factors[factors.length >> 1] ?? Number.POSITIVE_INFINITY;
      console.log(JSON.stringify({ profile, ...seen, outputs: factors.length, median }));
      expect(seen.finite / seen.elements).toBeGreaterThan(
        profile === 'f16' || profile === 'bf16' ? 0.3 : 0.5,
      );
      expect(median).toBeLessThan(100);
    });
  }
});
