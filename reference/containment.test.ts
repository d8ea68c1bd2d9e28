import { describe, expect, it } from 'vitest';
import { big } from './arithmetic/big.ts';
import { LADDER } from './levels.ts';
import { evaluate } from './reference.ts';
import { containment, hostileCase } from './testing/containment.ts';

const CASES = 40;
const DIGITS = 80;

describe('no ball misses the truth', () => {
  it(`at float64, double-double and 60 digits, on ${CASES} cases of every feature and hostile value`, () => {
    const counts = LADDER.slice(0, 3).map(() => ({ checked: 0, unbounded: 0 }));
    for (let seed = 0; seed < CASES; seed++) {
      const [name, c] = hostileCase(seed);
      const truth = evaluate(big(DIGITS), c);
      LADDER.slice(0, 3).forEach((level, n) => {
        const { checked, unbounded, missed } = containment(level, c, DIGITS, truth);
        expect([name, level.name, missed]).toEqual([name, level.name, []]);
        counts[n]!.checked += checked;
        counts[n]!.unbounded += unbounded;
      });
    }
    if (process.env.XATTN_SHOW) console.log(counts);
    for (const { checked } of counts) expect(checked).toBeGreaterThan(10_000);
    expect(counts[2]!.unbounded).toBe(0);
  });
});
