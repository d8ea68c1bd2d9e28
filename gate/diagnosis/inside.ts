/**
 * Inside outputs: of the smallest failing cases, which output is wrong first in the order of
 * computation, where in it, and how its values stand to the right ones.
 * @module
 */
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { UPSTREAM_FIRST } from '../fuzz/kind.ts';
import { offPlaces, whereWrong } from './axes.ts';
import type { Finding, OutputPattern } from './diagnosis.ts';
import type { KeptAnswer } from './kept-answers.ts';
import { missing } from './missing.ts';
import {
  coarse,
  constants,
  exchanged,
  factors,
  type Looked,
  orders,
  special,
  taken,
} from './values.ts';

/** Cases looked into for one output, the cheapest first, and findings told of it. */
const CASES = 8;
const FINDINGS = 3;

/** All that holds of one wrong output; what says most comes first. */
function sentences(looked: Looked, profile: Profile): string[] {
  const { answer, output, off } = looked;
  const values = [
    ...special(looked),
    ...orders(looked),
    ...exchanged(looked),
    ...taken(looked),
    ...factors(looked),
    ...constants(looked),
    ...missing(looked),
    ...coarse(looked, profile),
  ];
  return [...values, ...whereWrong(answer, output, off)];
}

/** What holds in most of the cases first; of equals, what says most. */
function ranked(all: readonly (readonly string[])[]): Finding[] {
  const counts = new Map<string, { cases: number; place: number }>();
  for (const list of all) {
    for (const [n, sentence] of [...new Set(list)].entries()) {
      const known = counts.get(sentence) ?? { cases: 0, place: n };
      counts.set(sentence, { cases: known.cases + 1, place: Math.min(known.place, n) });
    }
  }
  return [...counts]
    .map(([sentence, { cases, place }]) => ({ sentence, cases, place }))
    .filter(({ cases }) => 2 * cases > all.length)
    .sort((a, b) => b.cases - a.cases || a.place - b.place)
    .map(({ sentence, cases }) => ({ sentence, holds: { cases, of: all.length } }));
}

/** What is wrong in each output, of failing answers, the cheapest first. */
export function insideOutputs(wrong: readonly KeptAnswer[], profile: Profile): OutputPattern[] {
  return UPSTREAM_FIRST.flatMap((name) => {
    const wanting = wrong.flatMap((answer) => {
      const output = answer.outputs.find((one) => one.name === name);
      return output === undefined ? [] : [{ answer, output, off: offPlaces(output) }];
    });
    const off = wanting.filter((one) => one.off.length > 0);
    if (off.length === 0) return [];
    const looked = off.slice(0, CASES).map((one) => sentences(one, profile));
    return [
      {
        output: name,
        wrong: { cases: off.length, of: wanting.length },
        findings: ranked(looked).slice(0, FINDINGS),
      },
    ];
  });
}
