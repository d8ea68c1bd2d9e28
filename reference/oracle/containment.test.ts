import { describe, expect, it } from 'vitest';
import { evaluate } from '../definition/reference.ts';
import { bigBall, doubleDoubleBall, float64Ball } from '../numbers/balls.ts';
import { big } from '../numbers/big.ts';
import { containment, hostileCase } from '../testing/containment.ts';
import { ballLevel } from './levels.ts';

const LEVELS = [ballLevel(float64Ball), ballLevel(doubleDoubleBall), ballLevel(bigBall(60))];
const CASES = 40;
const DIGITS = 80;

describe('no ball misses the truth', () => {
  it(`at float64, double-double and 60 digits, on ${CASES} cases of every feature and hostile value`, () => {
    const counts = LEVELS.map(() => ({ checked: 0, unbounded: 0 }));
    for (let seed = 0; seed < CASES; seed++) {
      const [name, c] = hostileCase(seed);
      const truth = evaluate(big(DIGITS), c);
      LEVELS.forEach((level, n) => {
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
