import { describe, expect, it } from 'vitest';
import { HONEST_PROFILES } from './candidate.ts';
import { measurePeace, peaceLine } from './peace.ts';

const SEED = 20241124;
const RUNS = 800;

describe('honest candidates', () => {
  for (const profile of HONEST_PROFILES) {
    it(`are never refused at ${profile}, over ${RUNS} random cases`, () => {
      const peace = measurePeace(profile, { runs: RUNS, seed: SEED });
      console.log(peaceLine(peace));
      expect(peace.refused).toBe(null);
      // A bound of infinity refuses nobody: most elements must have a finite one, and be near nothing.
      expect(peace.judged / (peace.judged + peace.unbounded)).toBeGreaterThan(0.6);
    });
  }
});
