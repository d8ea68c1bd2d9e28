/**
 * Hypotheses: the faults of the zoo, alone and two at once, as hosts that answer a case.
 * @module
 */
import type { Fault } from '../../properties/zoo/fault.ts';
import { HONEST } from '../../properties/zoo/host/honest.ts';
import { PRECISIONS } from '../../properties/zoo/host/precision.ts';
import type { Seams } from '../../properties/zoo/host/seams.ts';
import { hostOf } from '../../properties/zoo/host.ts';
import type { ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, Outputs } from '../../reference/case/case.ts';

/** One fault, or two at once. */
export interface Hypothesis {
  readonly faults: readonly Fault[];
  /** Steps with the faults in them, from a fresh state. */
  readonly seams: () => Partial<Seams>;
  /** How many steps are replaced: what changes less explains more simply. */
  readonly size: number;
}

export const alone = (fault: Fault): Hypothesis => ({
  faults: [fault],
  seams: fault.seams,
  size: Object.keys(fault.seams()).length,
});

/** Steps that only do something beside, so that two of them can be done one after the other. */
const CHAINED: readonly string[] = ['begin', 'finishBackward', 'finish'] satisfies (keyof Seams)[];

type Beside<T extends unknown[]> = ((...given: T) => void) | undefined;

const inTurn =
  <T extends unknown[]>(first: Beside<T>, second: Beside<T>) =>
  (...given: T): void => {
    first?.(...given);
    second?.(...given);
  };

const chained = (a: Partial<Seams>, b: Partial<Seams>): Partial<Seams> => ({
  ...a,
  ...b,
  begin: inTurn(a.begin, b.begin),
  finishBackward: inTurn(a.finishBackward, b.finishBackward),
  finish: inTurn(a.finish, b.finish),
});

/** Two faults at once; null where both replace the same step. */
export function together(a: Fault, b: Fault): Hypothesis | null {
  const names = Object.keys(b.seams());
  const shared = Object.keys(a.seams()).filter((name) => names.includes(name));
  if (shared.some((name) => !CHAINED.includes(name))) return null;
  return {
    faults: [a, b],
    seams: () => chained(a.seams(), b.seams()),
    size: names.length + Object.keys(a.seams()).length,
  };
}

/** Only this row of every head is computed. */
function inRow(seams: Partial<Seams>, row: number): Partial<Seams> {
  const rowRange = seams.rowRange ?? HONEST.rowRange;
  return {
    ...seams,
    rowRange: (x, home, pass) => {
      const { start, stop } = rowRange(x, home, pass);
      return { start: Math.max(start, row), stop: Math.min(stop, row + 1) };
    },
  };
}

/** What it answers to a case, asked afresh, all of it or one row; null where it throws. */
export function answerOf(
  { seams }: Hypothesis,
  base: ProfileName,
  question: AttentionCase,
  row: number | null = null,
): Outputs | null {
  try {
    const steps = row === null ? seams() : inRow(seams(), row);
    return hostOf(PRECISIONS[base], steps)(question);
  } catch {
    // A fault may run over the end of an array where its case has none of what it breaks.
    return null;
  }
}
