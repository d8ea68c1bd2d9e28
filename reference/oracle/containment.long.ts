/**
 * A million elements held to their balls: every feature, every hostile value.
 * @module
 */
import { expect, it } from 'vitest';
import { evaluate } from '../definition/reference.ts';
import { doubleDoubleBall, float64Ball } from '../numbers/balls.ts';
import { big } from '../numbers/big.ts';
import { containment, hostileCase } from '../testing/containment.ts';
import { ballLevel } from './levels.ts';

const ELEMENTS = Number(process.env.XATTN_LONG_ELEMENTS ?? 1_000_000);
const LEVELS = [ballLevel(float64Ball), ballLevel(doubleDoubleBall)];
const DIGITS = 60;

it(`no ball misses the truth, on ${ELEMENTS} elements of every feature and hostile value`, () => {
  let [checked, unbounded, seed] = [0, 0, 10_000];
  for (; checked < ELEMENTS; seed++) {
    const [name, c] = hostileCase(seed);
    const truth = evaluate(big(DIGITS), c);
    for (const level of LEVELS) {
      const result = containment(level, c, DIGITS, truth);
      expect([name, level.name, result.missed]).toEqual([name, level.name, []]);
      checked += result.checked;
      unbounded += result.unbounded;
    }
  }
  console.log(`${checked} elements contained, ${unbounded} of them unbounded, seeds to ${seed}`);
});
