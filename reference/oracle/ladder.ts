/**
 * The ladder of the oracle, cheapest level first.
 * @module
 */
import { bigBall, doubleDoubleBall, float64Ball } from '../numbers/balls.ts';
import { DOUBLE_LEVEL } from './double-level.ts';
import { EXACT } from './exact.ts';
import { ballLevel, type Level, levelWhenNeeded } from './levels.ts';
import { withinBudget } from './work.ts';

/** Decimal digits of the last levels; what is open after them is undecided. */
export const DIGITS = [60, 120, 240, 480, 960] as const;

export const LADDER: readonly Level[] = [
  ballLevel(float64Ball),
  DOUBLE_LEVEL,
  ballLevel(doubleDoubleBall),
  EXACT,
  ...DIGITS.map((digits) => {
    const level = levelWhenNeeded(`big${digits}`, () => ballLevel(bigBall(digits)));
    return withinBudget(level, digits);
  }),
];
