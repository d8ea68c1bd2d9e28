/**
 * Peace in the long run: 10⁵ honest candidates a profile, none of which may be refused.
 * XATTN_LONG_HONEST=CHUNKS runs fewer of them, XATTN_HONEST_FROM=SEED goes on where a run ended.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { HONEST_PROFILES } from './candidate.ts';
import { measurePeace, peaceLine } from './peace.ts';

/** 10⁵ cases a profile, by seeds other than the short run's. */
const CHUNKS = Number(process.env.XATTN_LONG_HONEST ?? 100);
const FROM = Number(process.env.XATTN_HONEST_FROM ?? 1);
const RUNS = 1000;

describe('honest candidates, in the long run', () => {
  for (const profile of HONEST_PROFILES) {
    it(`are never refused at ${profile}, over ${CHUNKS * RUNS} random cases`, () => {
      for (let seed = FROM; seed < FROM + CHUNKS; seed++) {
        const peace = measurePeace(profile, { runs: RUNS, seed });
        console.log(peaceLine(peace));
        expect(peace.refused).toBe(null);
      }
    });
  }
});
