/**
 * Diagnose: what a run has shown → what its failures have in common, in one value.
 * @module
 */
import type { Fault } from '../../properties/zoo/fault.ts';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { plural } from '../text.ts';
import { behaviourOf } from './behaviour.ts';
import type {
  Behaviour,
  Diagnosis,
  MemoryPattern,
  OutputPattern,
  Share,
  TraitPattern,
} from './diagnosis.ts';
import { insideOutputs } from './inside.ts';
import type { KeptAnswer, Observed } from './kept-answers.ts';
import { heldAgainst, memoryPattern, type Recalls, withoutMemory } from './memory.ts';
import { listed, outputsSentence } from './sentences.ts';
import { separating } from './separate.ts';

const SMALLEST = 3;

const cheapestFirst = <T extends { work: number; id: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => a.work - b.work || (a.id < b.id ? -1 : 1));

/** Findings of one kind say the same in other words. */
const kindOf = (sentence: string): string =>
  /times what it should be$/.test(sentence)
    ? 'factor'
    : (/^(off by|only|all|without|the share|with the share)/.exec(sentence)?.[0] ?? sentence);

/** Told where it holds in all cases looked at, or in so large a share of them, which is then said. */
const MOST = 3 / 4;

/** In how many cases it holds, where those are not all that are wrong. */
function whereOf({ cases, of }: Share, wrong: number): string {
  if (cases < of) return ` (in ${cases} of ${of} looked at)`;
  return of < wrong ? ` (in the ${of} smallest of ${wrong})` : '';
}

/** `d_v: 1/ranks times what it should be`, of the first wrong output. */
function insideSentence([first]: readonly OutputPattern[]): string {
  const kinds = new Map<string, string>();
  for (const { sentence, holds } of first?.findings ?? []) {
    if (holds.cases < MOST * holds.of || kinds.has(kindOf(sentence))) continue;
    kinds.set(kindOf(sentence), `${sentence}${whereOf(holds, first?.wrong.cases ?? 0)}`);
  }
  return first === undefined || kinds.size === 0
    ? ''
    : `${first.output}: ${listed([...kinds.values()])}`;
}

/** The parts that there are, as one sentence. */
const sentenceOf = (parts: readonly string[]): string => {
  const text = parts.filter((part) => part !== '').join('; ');
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
};

interface Parts {
  readonly memory: MemoryPattern | null;
  readonly behaviour: Behaviour | null;
  readonly traits: TraitPattern | null;
  readonly broken_traits: TraitPattern | null;
  readonly outputs: readonly OutputPattern[];
}

/** A known fault says all; otherwise what sets the cases apart, and what is wrong in them. */
function headlineOf(parts: Parts, wrong: readonly Observed[], broken: number): string {
  const { memory, behaviour, traits, broken_traits, outputs } = parts;
  const wanted = new Set(wrong.flatMap(({ answer }) => answer?.question.parameters.wants ?? []));
  const known = behaviour?.kind === 'fault' || behaviour?.kind === 'pair';
  const less = behaviour?.kind === 'precision' || behaviour?.kind === 'rounding';
  const pattern = [traits?.sentence, outputsSentence(outputs, wanted), insideSentence(outputs)];
  const sentence = [
    ...(memory === null ? [] : [memory.sentence]),
    ...(behaviour !== null && known ? [behaviour.sentence] : pattern.map((one) => one ?? '')),
    ...(less ? [behaviour.sentence] : []),
  ];
  const without = broken === 0 ? '' : `${plural(broken, 'case')} without a usable answer`;
  const unanswered = broken_traits === null ? without : `${without}: ${broken_traits.sentence}`;
  return [sentenceOf(sentence), sentenceOf([unanswered])].filter((one) => one !== '').join(' ');
}

/** What a diagnosis is made of. */
export interface Material {
  /** In the order of asking. */
  readonly observed: readonly Observed[];
  readonly profile: Profile;
  /** Faults to try; none where one case says too little. */
  readonly zoo: () => Promise<readonly Fault[]>;
  /** Failing cases that were asked again; default: none. */
  readonly recalls?: Recalls;
  /** Processor time for trying them; default: some seconds. */
  readonly milliseconds?: number;
}

const answersOf = (observed: readonly Observed[]): KeptAnswer[] =>
  observed.flatMap(({ answer }) => answer ?? []);

/** Null where nothing fails. */
export async function diagnose(material: Material): Promise<Diagnosis | null> {
  const { observed, profile, zoo, milliseconds, recalls = new Map() } = material;
  const of = (outcome: Observed['outcome']): Observed[] =>
    cheapestFirst(observed.filter((one) => one.outcome === outcome));
  const [wrong, broken, passing] = [of('wrong'), of('broken'), of('pass')];
  if (wrong.length + broken.length === 0) return null;
  const failing = cheapestFirst([...wrong, ...broken]);
  const facts = (all: readonly Observed[]) => all.map((one) => one.facts);
  const whole = observed.length > 1;
  const apart = (some: readonly Observed[], failed: string): TraitPattern | null => {
    const plain = withoutMemory(some, recalls);
    return plain.length === 0 || !whole ? null : separating(facts(plain), facts(passing), failed);
  };
  const answers = heldAgainst(wrong, observed, recalls);
  const faults = answers.length > 0 && whole ? await zoo() : [];
  const evidence = { wrong: answers, passing: answersOf(passing), profile };
  const parts: Parts = {
    memory: memoryPattern(failing, observed, recalls),
    behaviour: faults.length === 0 ? null : behaviourOf(evidence, faults, milliseconds),
    traits: apart(wrong, 'is wrong'),
    broken_traits: apart(broken, 'is broken'),
    outputs: insideOutputs(answersOf(wrong), profile),
  };
  return {
    headline: headlineOf(parts, wrong, broken.length),
    ...{ wrong: wrong.length, broken: broken.length, passing: passing.length },
    smallest: failing.slice(0, SMALLEST).map(({ id }) => id),
    ...parts,
  };
}
