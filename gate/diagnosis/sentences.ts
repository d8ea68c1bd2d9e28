/**
 * The sentences of a diagnosis. Each says what was counted and no more.
 * @module
 */
import type { Behaviour, Fit, OutputPattern, Share, TraitGroup } from './diagnosis.ts';

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[], last = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** Names of twins in a sentence, at most. */
const TWINS = 3;

const quoted = (names: readonly string[]): string =>
  names.map((name) => `\`${name}\``).join(' with ');

/** `in all 151 failing cases`, `in 404 of 406 failing cases`, `in 11 of the 12 smallest of 151 failing cases`. */
function inCases({ cases, of }: Share, all: number): string {
  const kind = all === 1 ? 'failing case' : 'failing cases';
  if (cases === all) return `in ${all === 1 ? 'the one' : `all ${all}`} ${kind}`;
  if (of === all) return `in ${cases} of ${all} ${kind}`;
  const smallest = `the ${of} smallest of ${all} ${kind}`;
  return cases === of ? `in ${smallest}` : `in ${cases} of ${smallest}`;
}

function passingTried({ cases, of }: Share): string {
  if (of === 0) return ', no passing one was tried';
  if (cases < of) return ` and ${cases} of ${of} passing ones tried`;
  return ` and ${of === 1 ? 'the passing one' : `${of} passing ones`} tried`;
}

/** Faults that fit as well as the first. */
function twinsOf(rest: readonly Fit[], lead: string): string {
  if (rest.length === 0) return '';
  const others = rest.slice(0, TWINS).map(({ faults }) => quoted(faults));
  const more = rest.length > TWINS ? [`${rest.length - TWINS} more`] : [];
  return `; ${lead} ${listed([...others, ...more], 'or')}`;
}

const whatIsWrong = ({ wrong }: Fit): string =>
  lowered(wrong.map((sentence) => sentence.replace(/\.$/, '')).join('; '));

function fitSentence({ kind, fits }: Omit<Behaviour, 'sentence'>, failing: number): string {
  const [first, ...rest] = fits;
  if (first === undefined) return '';
  const twins = twinsOf(rest, 'these cases do not tell it from');
  const what = kind === 'pair' ? 'two known faults at once, ' : '';
  const ranks = first.ranks === 'one' ? ', on one rank,' : '';
  const { outputs, unlike = [] } = first;
  const only = outputs === undefined ? '' : ` in ${listed(outputs)}, not in ${listed(unlike)},`;
  const { failing: f, passing: p } = first;
  const part = f.cases < f.of || p.cases < p.of ? ', which is not all' : '';
  const where = `${inCases(f, failing)}${passingTried(p)}${part}`;
  return `behaves like ${what}${quoted(first.faults)}${ranks}${only} ${where}: ${whatIsWrong(first)}${twins}`;
}

/** The first letter small, unless the word is a name: `dK`, `P`, `LSE`, `GQA`. */
const lowered = (text: string): string =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

function roundingSentence({ fits, profile }: Omit<Behaviour, 'sentence'>, failing: number): string {
  const [first, ...rest] = fits;
  if (first === undefined) return '';
  const within = profile === undefined ? '' : `, and within the bounds of ${profile}`;
  const where = inCases(first.failing, failing);
  const twins = twinsOf(rest, 'so they are of');
  return `rounds like ${quoted(first.faults)}: the errors are of that fault's size in every output ${where}${within}: ${whatIsWrong(first)}${twins}`;
}

function untimedSentence(behaviour: Omit<Behaviour, 'sentence'>, failing: number): string {
  switch (behaviour.kind) {
    case 'fault':
    case 'pair':
      return fitSentence(behaviour, failing);
    case 'rounding':
      return roundingSentence(behaviour, failing);
    case 'precision':
      return `like none of ${behaviour.tried} known faults, but the wrong answers looked at lie within the bounds of ${behaviour.profile}`;
    case 'none':
      return `behaves like none of ${behaviour.tried} known faults`;
    case 'untried':
      return 'the failing cases are too large, or their answers too many, to try known faults on them';
  }
}

export function behaviourSentence(behaviour: Omit<Behaviour, 'sentence'>, failing: number): string {
  const late = behaviour.stopped === true ? '; the time was over before all was tried' : '';
  return `${untimedSentence(behaviour, failing)}${late}`;
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
