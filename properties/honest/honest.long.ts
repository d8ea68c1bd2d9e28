/**
 * Peace in the long run: 10⁵ honest candidates, none of which may be refused.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { HONEST_PROFILES } from './candidate.ts';
import { measurePeace, peaceLine } from './peace.ts';

/** 10⁵ cases over the five profiles, other seeds than the short run's. */
const CHUNKS = 20;
const RUNS = 1000;

describe('honest candidates, in the long run', () => {
  for (const profile of HONEST_PROFILES) {
    it(`are never refused at ${profile}, over ${CHUNKS * RUNS} random cases`, () => {
      for (let seed = 1; seed <= CHUNKS; seed++) {
        const peace = measurePeace(profile, { runs: RUNS, seed });
        console.log(peaceLine(peace));
        expect(peace.refused).toBe(null);
      }
    }, 3_600_000);
  }
});
