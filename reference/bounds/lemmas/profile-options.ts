/**
 * Options of a profile: what some honest programs do beyond the five bases, each granted by name
 * because it would cost the others sharpness; and what others never do. spec/bounds.md §1
 *
 * A profile with options is written `f16+sigmoid-merge`, or as an object
 * `{ "base": "f16", "merge": "sigmoid" }`. An option is one entry of the table below.
 * @module
 */
import { minNormal } from '../../numbers/format.ts';
import { PROFILE_NAMES, PROFILES, type Profile, type ProfileName } from './profile.ts';

/** One choice that a profile may grant. Its word is `value-key`: `sigmoid-merge`. */
export interface ProfileOption {
  /** What is chosen, and the value that grants more, or less. */
  readonly key: string;
  readonly value: string;
  /** The value that stands where nothing is said. */
  readonly otherwise: string;
  /** What an implementation may then do, or no longer. */
  readonly means: string;
  /** The fields that change. */
  readonly grants: (profile: Profile) => Partial<Omit<Profile, 'name' | 'base'>>;
}

const TABLE = [
  {
    key: 'merge',
    value: 'sigmoid',
    otherwise: 'weights',
    means:
      'partial results are merged as O − σ(LSE_b − LSE)(O − O_b), with LSE − log σ(LSE − LSE_b)',
    grants: () => ({ subtractsInMerges: true }),
  },
  {
    key: 'maximum',
    value: 'lazy',
    otherwise: 'exact',
    means: 'a running maximum may stay behind its scores by 8 (or 8 powers of two) before it moves',
    grants: () => ({ headroom: 8 }),
  },
  {
    key: 'subnormals',
    value: 'flushed',
    otherwise: 'kept',
    means:
      'what is stored as an operand or output and lies below the smallest normal number is zero',
    grants: ({ base, outputFormat }) => ({
      operandTiny: minNormal(base),
      outputTiny: minNormal(outputFormat),
    }),
  },
  {
    // After what flushes: a partial output is stored like the output.
    key: 'partials',
    value: 'stored',
    otherwise: 'kept',
    means:
      'partial outputs of blocks or ranks are stored, once each, in the output format before they are merged',
    grants: ({ output, outputTiny }) => ({ partial: output, partialTiny: outputTiny }),
  },
  {
    key: 'kernel',
    value: 'fused',
    otherwise: 'any',
    means:
      'grants less: Q, K, V and dO are multiplied as given, never a scaled one; P, dS and outputs are rounded once, to nearest',
    grants: () => ({ scaledOperand: 0, anchored: true }),
  },
  {
    // After what flushes: a weight is stored as an operand.
    key: 'sum',
    value: 'rounded',
    otherwise: 'unrounded',
    means:
      'the denominator is summed from P as it was rounded for P·V, by a column of ones in V, say',
    grants: ({ probabilities, operandTiny }) => ({
      summed: probabilities,
      summedTiny: operandTiny,
    }),
  },
] as const satisfies readonly ProfileOption[];

/** Every option, in the order of canonical names. */
export const PROFILE_OPTIONS: readonly ProfileOption[] = TABLE;

type OptionKey = (typeof TABLE)[number]['key'];

/** A profile as an object: its base, and values of options. */
export type ProfileParts = { readonly base: ProfileName } & {
  readonly [K in OptionKey]?: string;
};

/** A profile as text: a base, and words of options. */
export type ProfileText = ProfileName | `${ProfileName}+${string}`;

/** Whatever stands for a profile: its text, its parts, or itself. */
export type ProfileLike = ProfileText | ProfileParts | Profile;

/** `sigmoid-merge` */
export const optionWord = ({ key, value }: Pick<ProfileOption, 'key' | 'value'>): string =>
  `${value}-${key}`;

/** The words that a profile's text may add to its base. */
export const PROFILE_WORDS: readonly string[] = PROFILE_OPTIONS.map(optionWord);

/** The keys of options, each with the values that it may have. */
export const PROFILE_CHOICES: ReadonlyMap<string, readonly string[]> = new Map(
  PROFILE_OPTIONS.map(({ key }) => [
    key,
    [
      ...new Set(
        PROFILE_OPTIONS.filter((one) => one.key === key).map(({ otherwise }) => otherwise),
      ),
      ...PROFILE_OPTIONS.filter((one) => one.key === key).map(({ value }) => value),
    ],
  ]),
);

/** A base with what some options grant. */
function withOptions(base: ProfileName, granted: readonly ProfileOption[]): Profile {
  let profile: Profile = PROFILES[base];
  for (const option of granted) {
    const name = `${profile.name}+${optionWord(option)}`;
    profile = { ...profile, ...option.grants(profile), name };
  }
  return profile;
}

/** The base that a text names, or null. */
const baseNamed = (text: string): ProfileName | null =>
  PROFILE_NAMES.find((name) => name === text) ?? null;

/** What a profile's text may be, for a complaint. */
export const PROFILE_SYNTAX = `one of ${PROFILE_NAMES.join(' ')}, with any of ${PROFILE_WORDS.map((word) => `+${word}`).join(' ')}`;

/** Base and options of `base+word+word`, the words in any order, each once; null of another text. */
function partsIn(text: string): { base: ProfileName; granted: readonly ProfileOption[] } | null {
  const [first = '', ...words] = text.split('+');
  const base = baseNamed(first);
  const granted = PROFILE_OPTIONS.filter((option) => words.includes(optionWord(option)));
  // As many options as words: every word is known, and none comes twice.
  if (base === null || granted.length !== words.length || clashing(granted)) return null;
  return { base, granted };
}

/** Does a text stand for a profile? */
export const isProfileText = (text: string): text is ProfileText => partsIn(text) !== null;

/** The profile of a text; a RangeError says what is possible. */
function parseProfile(text: string): Profile {
  const parts = partsIn(text);
  if (parts === null) {
    throw new RangeError(`"profile" expected ${PROFILE_SYNTAX}, got ${text || 'nothing'}`);
  }
  return withOptions(parts.base, parts.granted);
}

/** Two values of one key. */
const clashing = (granted: readonly ProfileOption[]): boolean =>
  new Set(granted.map(({ key }) => key)).size < granted.length;

/** The profile of a base and values of options; a RangeError says what is possible. */
function composeProfile({ base, ...chosen }: ProfileParts): Profile {
  if (baseNamed(base) === null) {
    throw new RangeError(`"profile.base" expected one of ${PROFILE_NAMES.join(' ')}, got ${base}`);
  }
  const values: Readonly<Record<string, string | undefined>> = chosen;
  for (const [key, value] of Object.entries(values)) {
    const possible = PROFILE_CHOICES.get(key);
    if (value !== undefined && possible?.includes(value) !== true) {
      const words = [...(possible ?? PROFILE_CHOICES.keys())].join(' ');
      const what = possible === undefined ? `another key, one of ${words}` : `one of ${words}`;
      throw new RangeError(`"profile.${key}" expected ${what}, got ${value}`);
    }
  }
  return withOptions(
    base,
    PROFILE_OPTIONS.filter(({ key, value }) => values[key] === value),
  );
}

/** The profile that somebody asks for; a RangeError says what is possible. */
export function profileFrom(profile: ProfileLike): Profile {
  if (typeof profile === 'string') return parseProfile(profile);
  return 'operand' in profile ? profile : composeProfile(profile);
}
