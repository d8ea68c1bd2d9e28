import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROFILE_NAMES, PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import type { OutputName } from '../../reference/case/case.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeAgainst } from '../../reference/verdict/judge.ts';
import { hostileCaseArbitrary } from '../arbitraries/hostile-case.ts';
import { ASKED, honestOutputs } from './candidate.ts';
import { choicesArbitrary } from './choices.ts';

/** Programs that multiply by P = 0, that add −∞ and that select: all of them are right. spec (5g) */
describe('honest candidates whose numbers overflow', () => {
  for (const profile of PROFILE_NAMES) {
    it(`are refused for no NaN or infinity at ${profile}`, () => {
      const seen = { notFinite: 0, excused: 0, judged: 0 };
      const cases = hostileCaseArbitrary({
        shape: { batch: 2, kvHeads: 2, group: 2, seqQ: 4, seqKv: 6, headDim: 4, dimY: 3 },
        dtypes: ASKED[profile],
      });
      fc.assert(
        fc.property(cases, choicesArbitrary(PROFILES[profile]), (c, choices) => {
          const outputs = honestOutputs(c, profile, choices);
          const expected = expectation(c, profile);
          const { verdict, reason } = judgeAgainst(expected, outputs);
          if (isFailure(verdict)) throw new Error(`${verdict}: ${reason}`);
          for (const [name, given] of Object.entries(outputs)) {
            const excused = expected.excused(name as OutputName)?.data;
            toFlat(given.tensor).forEach((x, n) => {
              if (excused?.[n] === true) seen.excused++;
              else seen.judged++;
              if (Number.isNaN(x)) seen.notFinite++;
            });
          }
        }),
        { numRuns: 500, seed: 11 },
      );
      console.log(profile, JSON.stringify(seen));
      // The law would be idle if nothing overflowed, and worth little if everything were excused.
      expect(seen.notFinite).toBeGreaterThan(100);
      expect(seen.judged).toBeGreaterThan(seen.excused);
    });
  }
});
