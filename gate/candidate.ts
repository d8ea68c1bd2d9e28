/**
 * Candidate: an implementation of cross-attention under judgement.
 *
 * A candidate reads a case folder and leaves its outputs there; the expectation is never in that
 * folder. Whatever it does wrong is a value, never an exception.
 * @module
 */

import type { Dealt } from '../gpu/dealt.ts';
import type { ProfileName } from '../reference/bounds/lemmas/profile.ts';
import { type ProfileLike, profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import type { Dtype } from '../reference/case/case.ts';
import type { Hello } from './protocol.ts';
import type { QuestionPlaces } from './question-folders.ts';

export type { Hello } from './protocol.ts';

/**
 * What came of asking. `broken`: it crashed, hung, or did not keep to the protocol. `gone`: it was
 * not asked, for it does not start any more.
 */
export type Answer =
  | { status: 'ok' }
  | { status: 'unsupported'; reason: string }
  | { status: 'broken' | 'gone'; reason: string };

export type Started = { ok: true; hello: Hello } | { ok: false; reason: string };

export interface Candidate {
  /** Where its questions must lie, and a place beside that it cannot see; undefined = anywhere. */
  readonly scratch?: QuestionPlaces;
  /** Called once, first. */
  start(): Promise<Started>;
  /** Outputs into `folder`, an absolute path, within `limitMs` if that is less than its own limit. */
  answer(folder: string, limitMs?: number): Promise<Answer>;
  /** On how many ranks its last answer was computed, where that is known: of the embedded one. */
  readonly dealt?: () => Dealt | null;
  /** Its last answer drawn, as an SVG picture; null where nothing was timed. Of the embedded one. */
  readonly timeline?: (title: string) => string | null;
  /** The last lines of its log, oldest first. */
  log(): string[];
  /** Let it end by itself, and end it if it does not. */
  close(): Promise<void>;
  /** End it now; safe in an exit handler. */
  kill(): void;
}

/** Input formats for a profile, best first: a suite is built for the first that is supported. */
const INPUT_DTYPES: Record<ProfileName, readonly [Dtype, ...Dtype[]]> = {
  f64: ['f64', 'f32'],
  f32: ['f32'],
  tf32: ['f32'],
  f16: ['f16'],
  bf16: ['bf16'],
};

/** The input format for which a suite is built. */
export function suiteDtype(profile: ProfileLike, supports: ReadonlySet<string>): Dtype {
  const preferred = INPUT_DTYPES[profileFrom(profile).base];
  return preferred.find((dtype) => supports.has(dtype)) ?? preferred[0];
}
