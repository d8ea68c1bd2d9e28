/**
 * One line to `xattn judge --serve`: what is asked, or what is wrong with it. Nothing here throws.
 *
 * `{"id": ANY, "case": DIR, "profile": P, "rows": N?, "keys": N?}`; P is a profile's text or object,
 * N how many or a list of positions. Without "id" the answer has the id null.
 * @module
 */
import { z } from 'zod';
import type { ProfileParts, ProfileText } from '../../reference/bounds/lemmas/profile-options.ts';
import type { SampleSize } from '../../reference/case/sampling.ts';
import { parseStrictly } from '../../reference/files/strict-json.ts';
import { profileSchema } from '../profile-schema.ts';
import { complaint, type Line, MAX_LINE_BYTES } from '../protocol.ts';
import { printable } from '../text.ts';

/** What a thread is asked to judge. */
export interface JudgeRequest {
  readonly case: string;
  readonly profile: ProfileText | ProfileParts;
  readonly rows?: SampleSize;
  readonly keys?: SampleSize;
}

/** A request, or the sentence that answers it; `id` is the sender's, null where it has none. */
export type Parsed =
  | { readonly id: unknown; readonly request: JudgeRequest }
  | { readonly id: unknown; readonly error: string };

const POSITIONS_MAX = 2 ** 16;
const PATH_MAX = 4096;

const isPosition = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isPositions = (value: unknown): value is SampleSize =>
  isPosition(value) ||
  (Array.isArray(value) && value.length <= POSITIONS_MAX && value.every(isPosition));
const positions = z.custom<SampleSize>(isPositions, {
  error: `expected how many, or a list of at most ${POSITIONS_MAX} positions`,
});

const requestSchema = z.object({
  id: z.unknown().optional(),
  case: z
    .string({ error: 'expected the path of a case folder' })
    .min(1, { error: 'expected the path of a case folder' })
    .max(PATH_MAX, { error: `expected a path of at most ${PATH_MAX} characters` })
    .refine((text) => !text.includes('\0'), { error: 'expected a path without NUL' }),
  profile: profileSchema,
  rows: positions.optional(),
  keys: positions.optional(),
});

const BLANK = /^\s*$/;

function valueIn({ text, truncated }: Line): unknown {
  if (truncated)
    throw new RangeError(`the line expected at most ${MAX_LINE_BYTES} bytes, got more`);
  return parseStrictly(text, 'the line');
}

function requestIn(value: object): Parsed {
  const { id = null } = value as { id?: unknown };
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(requestSchema.shape, name));
  if (unknown !== undefined) {
    return { id, error: `"${printable(unknown, 80)}" expected no field of this name, got one` };
  }
  const checked = requestSchema.safeParse(value);
  if (!checked.success) return { id, error: complaint({ ...value }, checked.error) };
  const { case: folder, profile, rows, keys } = checked.data;
  const sample = {
    ...(rows === undefined ? {} : { rows }),
    ...(keys === undefined ? {} : { keys }),
  };
  return { id, request: { case: folder, profile, ...sample } };
}

/** What a line asks; null of a blank one. */
export function parsedLine(line: Line): Parsed | null {
  if (!line.truncated && BLANK.test(line.text)) return null;
  try {
    const value = valueIn(line);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return { id: null, error: 'the line expected a JSON object' };
    }
    return requestIn(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      id: null,
      error: error instanceof RangeError ? reason : `the line expected JSON: ${printable(reason)}`,
    };
  }
}
