/**
 * What is granted of the work that work.ts counts, and what was refused for want of it.
 * @module
 */
import type { OutputName } from '../case/case.ts';
import type { OpenElements } from './open-elements.ts';

/** What is left to spend, and what was refused. */
export interface Budget {
  left: number;
  /** Is a wall-clock limit past, where there is one? */
  readonly isLate: () => boolean;
  /** Elements that were not tried for want of work, by `nameOf`. */
  readonly refused: Set<string>;
  /** Elements that were not tried for want of time. */
  readonly late: Set<string>;
}

const GRANTED = 60_000_000;

const GRANTED_EACH = 50_000;

/** `factor` times the work of a minute and what the elements asked for add. */
export function newBudget(
  elements: number,
  factor = 1,
  maxSeconds = Number.POSITIVE_INFINITY,
): Budget {
  const started = performance.now();
  return {
    left: factor * (GRANTED + GRANTED_EACH * elements),
    isLate: () => performance.now() - started > maxSeconds * 1000,
    refused: new Set(),
    late: new Set(),
  };
}

/** An element's name. */
export const nameOf = (output: OutputName, flat: number): string => `${output} ${flat}`;

/** Takes a cost off the budget; false, and the elements noted, where it does not suffice. */
export function afford(budget: Budget | undefined, cost: number, group: OpenElements): boolean {
  if (budget === undefined) return true;
  const late = budget.isLate();
  if (!late && cost <= budget.left) {
    budget.left -= cost;
    return true;
  }
  for (const [output, flats] of group) {
    for (const flat of flats) (late ? budget.late : budget.refused).add(nameOf(output, flat));
  }
  return false;
}
