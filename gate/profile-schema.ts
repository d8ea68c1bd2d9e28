/**
 * A candidate's `"profile"`, checked: the text of a profile, or an object of named choices, as
 * reference/bounds/lemmas/profile-options.ts lists them.
 * @module
 */
import { z } from 'zod';
import { PROFILE_NAMES } from '../reference/bounds/lemmas/profile.ts';
import {
  isProfileText,
  PROFILE_CHOICES,
  PROFILE_SYNTAX,
  type ProfileParts,
  type ProfileText,
} from '../reference/bounds/lemmas/profile-options.ts';

const oneOf = (words: readonly string[]) =>
  z.enum(words, { error: `expected one of ${words.join(' ')}` });

const choices = Object.fromEntries(
  [...PROFILE_CHOICES].map(([key, values]) => [key, oneOf(values).optional()]),
);

const parts = z.strictObject(
  {
    base: z.enum(PROFILE_NAMES, { error: `expected one of ${PROFILE_NAMES.join(' ')}` }),
    ...choices,
  },
  { error: `expected the keys base ${[...PROFILE_CHOICES.keys()].join(' ')}` },
);

/** Text or object; what is wrong with either is said of its own kind. */
export const profileSchema = z.unknown().transform((given, context): ProfileText | ProfileParts => {
  if (typeof given === 'object' && given !== null) {
    const checked = parts.safeParse(given);
    if (checked.success) return checked.data as ProfileParts;
    for (const { path, message } of checked.error.issues) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
    return z.NEVER;
  }
  if (typeof given === 'string' && isProfileText(given)) return given;
  const object = `or an object such as {"base":"f16"}`;
  context.addIssue({ code: 'custom', message: `expected ${PROFILE_SYNTAX}, ${object}` });
  return z.NEVER;
});
