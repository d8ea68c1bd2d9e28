/**
 * The sentences of a diagnosis. Each says what was counted and no more.
 * @module
 */
import type { Behaviour, OutputPattern, Share, TraitGroup } from './diagnosis.ts';

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[], last = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** Names of twins in a sentence, at most. */
const TWINS = 3;

const quoted = (names: readonly string[]): string =>
  names.map((name) => `\`${name}\``).join(' with ');

/** `in all 151 failing cases`, `in the 12 smallest of 151 failing cases`. */
function inCases(share: Share, all: number, kind: string): string {
  if (share.cases === all) return `in ${all === 1 ? 'the one' : `all ${all}`} ${kind}`;
  return `in the ${share.cases} smallest of ${all} ${kind}`;
}

function fitSentence({ kind, fits }: Omit<Behaviour, 'sentence'>, failing: number): string {
  const [first, ...rest] = fits;
  if (first === undefined) return '';
  const others = rest.slice(0, TWINS).map(({ faults }) => quoted(faults));
  const more = rest.length > TWINS ? [`${rest.length - TWINS} more`] : [];
  const twins =
    others.length === 0
      ? ''
      : `; these cases do not tell it from ${listed([...others, ...more], 'or')}`;
  const where = inCases(first.failing, failing, failing === 1 ? 'failing case' : 'failing cases');
  const passing =
    first.passing.cases === 0
      ? ', no passing one was tried'
      : ` and ${first.passing.cases === 1 ? 'the passing one' : `${first.passing.cases} passing ones`} tried`;
  const what = kind === 'pair' ? 'two known faults at once, ' : '';
  const wrong = first.wrong.map((sentence) => sentence.replace(/\.$/, '')).join('; ');
  return `behaves like ${what}${quoted(first.faults)} ${where}${passing}: ${lowered(wrong)}${twins}`;
}

/** The first letter small, unless the word is a name: `dK`, `P`, `LSE`, `GQA`. */
const lowered = (text: string): string =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

export function behaviourSentence(behaviour: Omit<Behaviour, 'sentence'>, failing: number): string {
  switch (behaviour.kind) {
    case 'fault':
    case 'pair':
      return fitSentence(behaviour, failing);
    case 'precision':
      return `like none of ${behaviour.tried} known faults, but the wrong answers looked at lie within the bounds of ${behaviour.profile}`;
    case 'none':
      return `behaves like none of ${behaviour.tried} known faults`;
    case 'untried':
      return 'the failing cases are too large, or their answers too many, to try known faults on them';
  }
}

/** As a predicate: `has a bias` stands as it is, a size reads `has seq_kv ≥ 17`. */
const predicate = (trait: string): string =>
  /^(has|is|asks|masks|recomputes) /.test(trait) ? trait : `has ${trait}`;

/** After `with`: `a bias`, `seq_kv ≥ 17`. */
const noun = (trait: string): string => trait.replace(/^has /, '');

/** `every case that is wrong has kv_heads < heads; no passing one does`. */
function everyCase({ traits, passing, failing }: TraitGroup, failed: string): string {
  const who = failing.of === 1 ? `the one case that ${failed}` : `every case that ${failed}`;
  const others =
    passing.cases === 0
      ? 'of the passing ones none'
      : `of ${passing.of} passing ones ${passing.cases} too`;
  return `${who} ${listed(traits.map(predicate))}, ${others}`;
}

/** What sets cases apart that `failed`: `is wrong`, `is broken`. */
export function traitSentence(
  groups: readonly TraitGroup[],
  all: { readonly failing: number; readonly passing: number },
  failed: string,
): string {
  if (all.passing === 0) return 'no case passes, so there is nothing to set them apart from';
  const [first, ...rest] = groups;
  if (first === undefined) return 'no trait that was tried sets the failing cases apart';
  if (rest.length === 0) return everyCase(first, failed);
  const parts = groups.map(
    ({ traits, failing }, n) =>
      `${failing.cases}${n === 0 ? '' : ' others'} with ${listed(traits.map(noun))}`,
  );
  return `the ${all.failing} failing cases are ${listed(parts)}, and no passing one is like them`;
}

/** `only d_k and d_v are wrong`. */
export function outputsSentence(
  outputs: readonly OutputPattern[],
  wanted: ReadonlySet<string>,
): string {
  const names = outputs.map(({ output }) => output);
  if (names.length === 0) return '';
  const first = names[0];
  const only = names.length < wanted.size;
  if (only) return `only ${listed(names)} ${names.length === 1 ? 'is' : 'are'} wrong`;
  return names.length === 1 ? `${first} is wrong` : `wrong from ${first} on`;
}
