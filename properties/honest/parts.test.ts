import { describe, expect, it } from 'vitest';
import { HONEST_PROFILES } from './candidate.ts';
import { measureMergePeace, peaceLine } from './peace.ts';

/** XATTN_LONG_MERGES=N asks so many, by other seeds, in the long run. */
const RUNS = Number(process.env.XATTN_LONG_MERGES ?? 40);
const SEED = Number(process.env.XATTN_HONEST_FROM ?? 20261129);

describe('honest merges of given parts', () => {
  for (const profile of HONEST_PROFILES) {
    it(`are never refused at ${profile}, over ${RUNS} random ones`, () => {
      const peace = measureMergePeace(profile, { runs: RUNS, seed: SEED });
      console.log(peaceLine(peace));
      expect(peace.refused).toBe(null);
      expect(peace.judged / (peace.judged + peace.unbounded)).toBeGreaterThan(0.6);
    });
  }
});
