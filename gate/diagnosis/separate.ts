/**
 * By pattern: the smallest set of traits that all failing cases have together and that as few passing
 * ones as possible have. Where no set is shared by all failing cases and no passing one, groups of
 * failing cases are set apart one after another.
 *
 * Nothing is claimed but what separates: how many failing and passing cases have the traits is counted.
 * @module
 */
import type { TraitGroup, TraitPattern } from './diagnosis.ts';
import type { Facts } from './facts.ts';
import { traitSentence } from './sentences.ts';

/** One trait, and the cases that have it: a bit for each of the cases at hand. */
interface Trait {
  readonly sentence: string;
  readonly failing: Uint8Array;
  readonly passing: Uint8Array;
  /** How many of either have it. */
  readonly inFailing: number;
  readonly inPassing: number;
  /** Told only alone: a threshold of a magnitude or a place is found for any few cases. */
  readonly single: boolean;
}

const count = (bits: Uint8Array): number => bits.reduce((sum, bit) => sum + bit, 0);

function traitOf(
  sentence: string,
  holds: (facts: Facts) => boolean,
  failing: readonly Facts[],
  passing: readonly Facts[],
): Trait {
  const [f, p] = [failing, passing].map((all) => Uint8Array.from(all, (one) => Number(holds(one))));
  const [inF, inP] = [f ?? new Uint8Array(0), p ?? new Uint8Array(0)];
  const counts = { inFailing: count(inF), inPassing: count(inP) };
  const single = /^(the largest \||its place|the scale)/.test(sentence);
  return { sentence, failing: inF, passing: inP, ...counts, single };
}

/** A number of three digits, or a whole one, that is at most (`up`: at least) the value. */
export function threshold(value: number, up: boolean): number {
  if (Number.isInteger(value)) return value;
  const near = Number(value.toPrecision(3));
  if (up ? near >= value : near <= value) return near;
  const step = 10 ** (Number(value.toExponential().split('e')[1]) - 2);
  return Number((near + (up ? step : -step)).toPrecision(3));
}

/** `seq_kv ≥ 17` and `seq_kv ≤ 8`, as the failing cases have them. */
function thresholds(failing: readonly Facts[], passing: readonly Facts[]): Trait[] {
  const names = [...(failing[0]?.numbers.keys() ?? [])];
  return names.flatMap((name) => {
    const values = failing.map(({ numbers }) => numbers.get(name) ?? 0);
    // What is said is what is counted.
    const [smallest, largest] = [Math.min(...values), Math.max(...values)];
    const [least, most] = [threshold(smallest, false), threshold(largest, true)];
    const of = (facts: Facts): number => facts.numbers.get(name) ?? 0;
    const said: [string, (facts: Facts) => boolean][] =
      smallest === largest
        ? [[`${name} = ${smallest}`, (facts) => of(facts) === smallest]]
        : [
            [`${name} ≥ ${least}`, (facts) => of(facts) >= least],
            [`${name} ≤ ${most}`, (facts) => of(facts) <= most],
          ];
    return said.map(([sentence, holds]) => traitOf(sentence, holds, failing, passing));
  });
}

function traitsOf(failing: readonly Facts[], passing: readonly Facts[]): Trait[] {
  const names = new Set(failing.flatMap(({ traits }) => [...traits]));
  return [
    ...[...names].map((name) => traitOf(name, ({ traits }) => traits.has(name), failing, passing)),
    ...thresholds(failing, passing),
  ];
}

interface Conjunction {
  readonly traits: readonly Trait[];
  readonly passing: number;
}

/** At most so many traits are taken together. */
const TOGETHER = 3;
/** Traits that are combined: those that the fewest passing cases have. */
const COMBINED = 24;

function passingWith(traits: readonly Trait[], all: number): number {
  let sum = 0;
  for (let n = 0; n < all; n++) if (traits.every(({ passing }) => passing[n] === 1)) sum++;
  return sum;
}

/** Every set of up to `size` of `from` that begins with `taken`. */
function* sets(
  from: readonly Trait[],
  size: number,
  taken: readonly Trait[] = [],
): Generator<Trait[]> {
  if (taken.length === size) yield [...taken];
  else for (const [n, one] of from.entries()) yield* sets(from.slice(n + 1), size, [...taken, one]);
}

/**
 * Another trait is worth telling where it leaves at most this share of the passing cases that had the
 * others, and takes away so many: one or two may lack it by chance.
 */
const WORTH = 1 / 4;
const TAKEN = 3;

/** The fewest traits that a larger set does not better by much; of equal ones the first by their order. */
function smallest(traits: readonly Trait[], passing: number): Conjunction | null {
  let best: Conjunction | null = null;
  const ranked = traits
    .map((trait, n) => ({ trait, n }))
    .sort((a, b) => a.trait.inPassing - b.trait.inPassing || a.n - b.n)
    .slice(0, COMBINED)
    .sort((a, b) => a.n - b.n)
    .map(({ trait }) => trait);
  for (let size = 1; size <= TOGETHER && best?.passing !== 0; size++) {
    const from = size === 1 ? ranked : ranked.filter(({ single }) => !single);
    const most = best === null ? passing : Math.min(best.passing * WORTH, best.passing - TAKEN);
    let own: Conjunction | null = null;
    for (const set of sets(from, size)) {
      const found = passingWith(set, passing);
      if (found <= most && found < (own?.passing ?? passing + 1))
        own = { traits: set, passing: found };
    }
    best = own ?? best;
  }
  return best;
}

const sentencesOf = (set: readonly Trait[]): string[] => set.map(({ sentence }) => sentence);

/** Groups at most, where no traits are shared by all failing cases. */
const GROUPS = 3;

/** The trait, or two, that no passing case has and most failing ones have. */
function largestGroup(failing: readonly Facts[], passing: readonly Facts[]): TraitGroup | null {
  const traits = traitsOf(failing, passing).filter(({ inFailing }) => inFailing > 1);
  const few = traits
    .filter(({ single }) => !single)
    .sort((a, b) => b.inFailing - a.inFailing)
    .slice(0, 2 * COMBINED);
  let best: { set: readonly Trait[]; cases: number } | null = null;
  for (const size of [1, 2]) {
    for (const set of sets(size === 1 ? traits : few, size)) {
      if (passingWith(set, passing.length) > 0) continue;
      const cases = failing.filter((_, n) => set.every((one) => one.failing[n] === 1)).length;
      if (cases > (best?.cases ?? 0)) best = { set, cases };
    }
    if (best !== null && best.cases === failing.length) break;
  }
  if (best === null) return null;
  return {
    traits: sentencesOf(best.set),
    failing: { cases: best.cases, of: failing.length },
    passing: { cases: 0, of: passing.length },
  };
}

const has = (facts: Facts, sentence: string, all: readonly Trait[], n: number): boolean =>
  facts.traits.has(sentence) || all.find((one) => one.sentence === sentence)?.failing[n] === 1;

/** Groups of failing cases, each set apart from all passing ones; null where they leave some out. */
function grouped(failing: readonly Facts[], passing: readonly Facts[]): TraitGroup[] | null {
  const groups: TraitGroup[] = [];
  let left = failing;
  while (left.length > 0) {
    const found = groups.length < GROUPS ? largestGroup(left, passing) : null;
    if (found === null) return null;
    const traits = traitsOf(left, passing);
    groups.push({ ...found, failing: { ...found.failing, of: failing.length } });
    left = left.filter((facts, n) => !found.traits.every((one) => has(facts, one, traits, n)));
  }
  return groups;
}

/** So many failing cases at least, for a magnitude or a place to say something: two are alike by chance. */
const SEVERAL = 4;

/** What sets failing cases apart from passing ones. */
export function separating(
  failing: readonly Facts[],
  passing: readonly Facts[],
  failed: string,
): TraitPattern {
  const all = { failing: failing.length, passing: passing.length };
  const none = { cases: 0, of: failing.length };
  const said = ([first, ...further]: readonly TraitGroup[]): TraitPattern => ({
    ...(first ?? { traits: [], failing: none, passing: { cases: 0, of: passing.length } }),
    ...(further.length === 0 ? {} : { further }),
    sentence: traitSentence(first === undefined ? [] : [first, ...further], all, failed),
  });
  if (passing.length === 0 || failing.length === 0) return said([]);
  const shared = traitsOf(failing, passing).filter(({ inFailing, inPassing, single }) => {
    if (single && failing.length < SEVERAL) return false;
    return inFailing === failing.length && inPassing < passing.length;
  });
  const best = smallest(shared, passing.length);
  if (best !== null && best.passing > 0) {
    const groups = grouped(failing, passing);
    if (groups !== null) return said(groups);
  }
  // What half of the passing cases have too sets little apart.
  if (best === null || 2 * best.passing > passing.length) return said([]);
  return said([
    {
      traits: sentencesOf(best.traits),
      failing: { cases: failing.length, of: failing.length },
      passing: { cases: best.passing, of: passing.length },
    },
  ]);
}
