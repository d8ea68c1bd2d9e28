/**
 * Memory: failing cases that pass when a fresh process is asked them alone. What fails then is made by the order of
 * the questions, so no trait of the cases themselves is told of them.
 * @module
 */
import type { AttentionCase } from '../../reference/case/case.ts';
import { plural } from '../text.ts';
import type { MemoryPattern } from './diagnosis.ts';
import type { KeptAnswer, Observed } from './kept-answers.ts';
import { listed } from './sentences.ts';

/** What asking failing cases again has shown, by their ids. */
export type Recalls = ReadonlyMap<
  string,
  { readonly alone: 'passes' | 'fails'; readonly after?: readonly string[] }
>;

const passesAlone = ({ id }: Observed, recalls: Recalls): boolean =>
  recalls.get(id)?.alone === 'passes';

/** Some were asked again and passed, and none of them failed: the others are of the same kind, for all one knows. */
const nothingElse = (failing: readonly Observed[], recalls: Recalls): boolean =>
  failing.some((one) => passesAlone(one, recalls)) &&
  !failing.some(({ id }) => recalls.get(id)?.alone === 'fails');

/** Failing cases of which memory is not the cause. */
export function withoutMemory(failing: readonly Observed[], recalls: Recalls): Observed[] {
  if (nothingElse(failing, recalls)) return [];
  return failing.filter((one) => !passesAlone(one, recalls));
}

/** Told of so many cases, what they fail after. */
const TOLD = 3;

const SIZES = ['batch', 'heads', 'kv_heads', 'seq_q', 'seq_kv', 'head_dim', 'head_dim_v'] as const;

const sizesOf = ({ facts }: Observed): string =>
  SIZES.map((name) => facts.numbers.get(name)).join();

/** How those that fail stand to the one question that each fails after. */
function relation(pairs: readonly (readonly [Observed, Observed])[]): string {
  if (pairs.length === 0) return '';
  const each = pairs.length === 1 ? '' : 'each ';
  if (pairs.every(([own, before]) => sizesOf(own) === sizesOf(before))) {
    return `, ${each}after one of the same shapes`;
  }
  const changed = SIZES.filter((name) =>
    pairs.every(([own, before]) => own.facts.numbers.get(name) !== before.facts.numbers.get(name)),
  );
  if (changed.length > 0) return `, ${each}after one of another ${listed(changed)}`;
  return pairs.every(([own, before]) => sizesOf(own) !== sizesOf(before))
    ? `, ${each}after one of other shapes`
    : '';
}

/** What those that pass alone have in common; null where there are none. */
export function memoryPattern(
  failing: readonly Observed[],
  observed: readonly Observed[],
  recalls: Recalls,
): MemoryPattern | null {
  const asked = failing.filter(({ id }) => recalls.has(id));
  const passing = asked.filter((one) => passesAlone(one, recalls));
  if (passing.length === 0) return null;
  const byId = new Map(observed.map((one) => [one.id, one]));
  const known = passing.flatMap((one) => {
    const before = recalls.get(one.id)?.after;
    return before === undefined || before.length === 0 ? [] : [{ one, id: one.id, before }];
  });
  const pairs = known.flatMap(({ one, before }): (readonly [Observed, Observed])[] => {
    const only = before.length === 1 ? byId.get(before[0] ?? '') : undefined;
    return only === undefined ? [] : [[one, only]];
  });
  const [first] = known;
  const all = asked.length === failing.length ? 'failing' : 'failing cases asked again';
  const who = `${passing.length} of ${asked.length} ${all}${all === 'failing' ? ' cases' : ''}`;
  const after =
    first === undefined
      ? 'after which earlier questions they fail is not known'
      : `${first.id} fails after ${first.before.length === 1 ? first.before[0] : plural(first.before.length, 'earlier question')}`;
  const how = pairs.length === known.length ? relation(pairs) : '';
  return {
    alone: { cases: passing.length, of: asked.length },
    after: known.slice(0, TOLD).map(({ id, before }) => ({ id, before })),
    sentence: `the candidate remembers: ${who} pass when a fresh process is asked them alone; ${after}${how}`,
  };
}

/** Wrong answers that faults can be held against: those that fail alone, else each after what it fails after. */
export function heldAgainst(
  wrong: readonly Observed[],
  observed: readonly Observed[],
  recalls: Recalls,
): KeptAnswer[] {
  const plain = withoutMemory(wrong, recalls);
  if (plain.length > 0) return plain.flatMap(({ answer }) => answer ?? []);
  const questions = new Map<string, AttentionCase>();
  for (const { id, answer } of observed) if (answer) questions.set(id, answer.question);
  return wrong.flatMap(({ id, answer }) => {
    const names = recalls.get(id)?.after ?? [];
    const before = names.flatMap((name) => questions.get(name) ?? []);
    const known = answer !== null && names.length > 0 && before.length === names.length;
    return known ? [{ ...answer, before }] : [];
  });
}
