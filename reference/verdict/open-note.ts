/**
 * What of an answer a verdict says nothing of, as the end of its sentence: how much of it, why, and the
 * first element of each output by name.
 * @module
 */
import type { Profile } from '../bounds/lemmas/profile.ts';
import type { OutputName } from '../case/case.ts';

/** Elements that an honest candidate may lose to overflow, and what was expected of them. */
export interface Excused {
  readonly count: number;
  /** The first of them. */
  readonly index: readonly number[];
  /** Least and largest expected value, of those that are known. */
  readonly from: number;
  readonly to: number;
}

/** What of one output is not judged. */
export interface Open {
  readonly excused: Excused | null;
  readonly unbounded: number;
  /** The first of them, null where there is none. */
  readonly without: readonly number[] | null;
}

interface Unjudged {
  readonly name: OutputName;
  readonly count: number;
  readonly index: readonly number[];
}

/** How many elements, and the first of each output: `out[0, 0, 1, 0] lse[0, 0, 1] …`. */
function named(list: readonly Unjudged[]): { count: number; names: string } {
  const count = list.reduce((sum, one) => sum + one.count, 0);
  const names = list.map(({ name, index }) => `${name}[${index.join(', ')}]`).join(' ');
  return { count, names: names + (count > list.length ? ' …' : '') };
}

/** What was not judged and why, as the end of a sentence; empty where all was. */
export function openNote(
  judged: readonly [OutputName, Open][],
  { name: profile }: Profile,
): string {
  const lost = judged.flatMap(([name, { excused }]) =>
    excused === null ? [] : [{ name, ...excused }],
  );
  const unbounded = judged.flatMap(([name, { unbounded: count, without }]) =>
    without === null ? [] : [{ name, count, index: without }],
  );
  const notes: string[] = [];
  if (lost.length > 0) {
    const { count, names } = named(lost);
    const from = Math.min(...lost.map((one) => one.from)).toPrecision(3);
    const to = Math.max(...lost.map((one) => one.to)).toPrecision(3);
    const values = `expected values from ${Number(from)} to ${Number(to)}`;
    const element = count === 1 ? 'element' : 'elements';
    const what = `${count} ${element} may overflow on the way at ${profile}`;
    notes.push(`${what} (${names}; ${values})`);
  }
  if (unbounded.length > 0) {
    const { count, names } = named(unbounded);
    const elements = count === 1 ? 'element has' : 'elements have';
    notes.push(`${count} ${elements} no finite bound (${names})`);
  }
  return notes.length === 0 ? '' : `; ${notes.join('; ')}, not judged`;
}
