/**
 * Candidate protocol 1, as pure functions: bytes to lines, lines to messages.
 *
 * One JSON object a line. Whatever a candidate writes becomes a `Message`; nothing here throws on
 * its account, and no line is kept beyond `MAX_LINE_BYTES`. A line that is not a message of the
 * protocol is the candidate's log, unless it is plain what it was meant to be, or nests as nothing does that
 * anybody would log: waiting for another one would cost the whole time limit.
 * @module
 */
import { z } from 'zod';
import type { Profile } from '../reference/bounds/lemmas/profile.ts';
import { profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import { DTYPES } from '../reference/case/case.ts';
import { FEATURE_WORDS, OP_WORDS } from '../reference/case/features.ts';
import { RANK_LIMIT } from '../reference/case/validate.ts';
import { DEPTH_MAX, parseStrictly, stringEnd } from '../reference/files/strict-json.ts';
import { profileSchema } from './profile-schema.ts';
import { printable } from './text.ts';

export const MAX_LINE_BYTES = 1 << 20;

/** `truncated`: the line was longer than the limit, and `text` is only its beginning. */
export interface Line {
  text: string;
  truncated: boolean;
}

export interface LineSplitter {
  /** The lines that this chunk completes. Chunks may cut anywhere, inside a character too. */
  push(chunk: Uint8Array): Line[];
  /** What was left without a line feed when the stream ended. */
  end(): Line[];
}

const LINE_FEED = 0x0a;

/** Cuts a byte stream into lines of at most `maxBytes`; the rest of a longer line is discarded. */
export function lineSplitter(maxBytes: number = MAX_LINE_BYTES): LineSplitter {
  let parts: Uint8Array[] = [];
  let kept = 0;
  let truncated = false;
  const keep = (bytes: Uint8Array): void => {
    const room = bytes.subarray(0, maxBytes - kept);
    if (room.length < bytes.length) truncated = true;
    if (room.length === 0) return;
    parts.push(room.slice());
    kept += room.length;
  };
  const take = (): Line => {
    const text = new TextDecoder().decode(Buffer.concat(parts)).replace(/\r$/, '');
    const line = { text, truncated };
    parts = [];
    kept = 0;
    truncated = false;
    return line;
  };
  return {
    push(chunk) {
      const lines: Line[] = [];
      let start = 0;
      for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, start)) {
        keep(chunk.subarray(start, at));
        lines.push(take());
        start = at + 1;
      }
      keep(chunk.subarray(start));
      return lines;
    },
    end: () => (kept > 0 ? [take()] : []),
  };
}

const oneOf = <const T extends readonly string[]>(words: T) =>
  z.enum(words, { error: `expected one of ${words.join(' ')}` });

/** What a candidate may declare. */
export const WORDS = [...FEATURE_WORDS, ...OP_WORDS, ...DTYPES] as const;

/**
 * What a candidate may say that it does not do: it returns no LSE, no gradient of the bias, no
 * gradients of grouped heads though it has their forward pass.
 */
export const DECLINE_WORDS = ['no-lse', 'no-d-bias', 'no-gqa-backward'] as const;

/** World sizes that one candidate may name. */
const WORLDS_MAX = 64;
const RANKS = `expected world sizes, at most ${WORLDS_MAX} whole numbers from 1 to ${RANK_LIMIT}, each once`;
const ranksSchema = z
  .array(z.int({ error: RANKS }).min(1, { error: RANKS }).max(RANK_LIMIT, { error: RANKS }), {
    error: RANKS,
  })
  .min(1, { error: RANKS })
  .max(WORLDS_MAX, { error: RANKS })
  .refine((sizes) => new Set(sizes).size === sizes.length, { error: RANKS });

const helloSchema = z.object({
  xattn: z.literal(1, { error: 'expected 1, the version of the protocol' }),
  name: z
    .string({ error: 'expected a text' })
    .min(1, { error: 'expected a text that is not empty' }),
  supports: z.array(oneOf([...WORDS, ...DECLINE_WORDS] as const), {
    error: 'expected a list of words',
  }),
  profile: profileSchema,
  ranks: ranksSchema.optional(),
  sharded: z.boolean({ error: 'expected true or false' }).optional(),
});

const answerSchema = z.object({
  case: z.string({ error: 'expected the path of the case folder' }),
  status: oneOf(['ok', 'unsupported', 'error']),
  reason: z.string({ error: 'expected a text' }).optional(),
});

/** What a candidate says of itself. */
export interface Hello {
  name: string;
  profile: Profile;
  supports: ReadonlySet<string>;
  /** World sizes that it can run on, in its order; absent = it takes any partition of a case as it comes. */
  ranks?: readonly number[];
  /** Each rank reads a file of its own; absent = one file holds all. */
  sharded?: true;
}

/** What a candidate says of one case. */
export interface CaseAnswer {
  case: string;
  status: 'ok' | 'unsupported' | 'error';
  reason: string;
}

export type Message =
  | { kind: 'hello'; hello: Hello }
  | { kind: 'answer'; answer: CaseAnswer }
  | { kind: 'invalid'; reason: string }
  | { kind: 'log'; text: string };

/** The object that a text of JSON is, or null. */
function objectIn(text: string): Record<string, unknown> | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** JSON of a value for a message; what is nested too deep for that is only said to be so. */
function shown(value: unknown): string {
  try {
    return printable(JSON.stringify(value), 80);
  } catch {
    return 'something nested too deep';
  }
}

/** Why a message, though it is JSON, cannot be taken at its word; null where it can. */
function unsound(line: Line): string | null {
  try {
    parseStrictly(line.text, 'the line');
    return null;
  } catch (error) {
    return printable(error instanceof Error ? error.message : String(error));
  }
}

/** `"profile" expected one of …, got "fp32"`, for the first thing wrong with `value`. */
export function complaint(value: Record<string, unknown>, error: z.ZodError): string {
  const issue = error.issues[0];
  const path = issue?.path ?? [];
  const at = path.reduce<unknown>(
    (node, key) => (node as Record<PropertyKey, unknown> | null | undefined)?.[key],
    value,
  );
  const got = at === undefined ? 'nothing' : shown(at);
  return `"${path.join('.')}" ${issue?.message ?? 'is wrong'}, got ${got}`;
}

function helloIn(value: Record<string, unknown>): Message {
  const parsed = helloSchema.safeParse(value);
  if (!parsed.success) {
    return { kind: 'invalid', reason: `its first line: ${complaint(value, parsed.error)}` };
  }
  const { name, profile, supports, ranks, sharded } = parsed.data;
  return {
    kind: 'hello',
    hello: {
      name: printable(name, 200),
      profile: profileFrom(profile),
      supports: new Set(supports),
      ...(ranks === undefined ? {} : { ranks }),
      ...(sharded === true ? { sharded } : {}),
    },
  };
}

function answerIn(value: Record<string, unknown>): Message {
  const parsed = answerSchema.safeParse(value);
  if (!parsed.success) {
    return { kind: 'invalid', reason: `its answer: ${complaint(value, parsed.error)}` };
  }
  const { status, reason = '' } = parsed.data;
  return { kind: 'answer', answer: { case: parsed.data.case, status, reason: printable(reason) } };
}

/** Whether an object is meant as a message: as which; null where it is log. */
function meantAs(value: Record<string, unknown> | null): 'first line' | 'answer' | null {
  if (value === null) return null;
  if (Object.hasOwn(value, 'xattn')) return 'first line';
  return ['case', 'status'].every((key) => Object.hasOwn(value, key)) ? 'answer' : null;
}

const invalid = (of: string, expected: string, got: string): Message => ({
  kind: 'invalid',
  reason: `its ${of}: expected ${expected}, got ${got}`,
});

/** Does it begin as JSON does, and nest deeper than any message, or anything that one would log? */
function isAbsurd(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = stringEnd(text, at) - 1;
    else if (char === ']' || char === '}') depth--;
    else if ((char === '[' || char === '{') && ++depth > DEPTH_MAX) return true;
  }
  return false;
}

/** What a text that begins as an object names as its own, without being one: a message's keys. */
function namedAs(text: string): 'first line' | 'answer' | null {
  if (!/^\s*\{/.test(text)) return null;
  if (/^\s*\{\s*"xattn"\s*:/.test(text)) return 'first line';
  return /"case"\s*:/.test(text) && /"status"\s*:/.test(text) ? 'answer' : null;
}

/** The first of a list of objects, or null. */
function firstIn(text: string): Record<string, unknown> | null {
  const inner = /^\s*\[\s*(\{.*\})\s*\]\s*$/s.exec(text)?.[1];
  return inner === undefined ? null : objectIn(inner);
}

/** What a line that is no such object was meant as, and why it is none; null where it is log. */
function spoilt({ text, truncated }: Line): Message | null {
  const named = namedAs(text);
  if (truncated) return named && invalid(named, 'a line of at most 1 MiB', 'more');
  const listed = meantAs(firstIn(text));
  if (listed !== null) return invalid(listed, 'an object', 'a list');
  // What UTF-16 leaves of a message, read as UTF-8.
  const plain = meantAs(objectIn(text.replace(/[\0\ufeff\ufffd]/g, '')));
  if (plain !== null) {
    return invalid(plain, 'UTF-8', 'NUL or another encoding');
  }
  const end = text.search(/\}\s*\{/);
  const first = end < 0 ? null : meantAs(objectIn(text.slice(0, end + 1)));
  if (first !== null) return invalid(first, 'one object in a line', 'more');
  return named && invalid(named, 'JSON', printable(text, 80));
}

/** What a line from a candidate means. */
export function messageIn(line: Line): Message {
  const value = line.truncated ? null : objectIn(line.text);
  const meant = meantAs(value);
  if (value !== null && meant !== null) {
    const reason = unsound(line);
    if (reason === null) return meant === 'first line' ? helloIn(value) : answerIn(value);
    return { kind: 'invalid', reason: `its ${meant}: ${reason}` };
  }
  if (isAbsurd(line.text)) return invalid('line', `JSON at most ${DEPTH_MAX} deep`, 'deeper');
  const wrong = value === null ? spoilt(line) : null;
  if (wrong !== null) return wrong;
  const mark = line.truncated ? ' (a line of more than 1 MiB, the rest discarded)' : '';
  return { kind: 'log', text: printable(line.text, 300) + mark };
}

/** The line that asks for the case in `folder`. */
export function askingLine(folder: string): string {
  return `${JSON.stringify({ case: folder })}\n`;
}
