/**
 * Data from outside held against its schema: the first thing that is wrong, as a sentence.
 * @module
 */
import { z } from 'zod';

function textOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function at(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined,
    given,
  );
}

/** The schema's words for the commonest faults, in ours. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^Invalid input: /, ''],
  [/, received .*$/, ''],
  [/^Invalid option: /, ''],
  [/^Too small: expected number to be >0$/, 'expected a number above 0'],
  [/^Too small: expected number to be >=0$/, 'expected a number, 0 or more'],
  [/^Too small: expected number to be >=(.*)$/, 'expected a number, $1 or more'],
  [/^Too big: expected (?:number|int) to be <=?(.*)$/, 'expected a number, at most $1'],
  [/^Too small: expected string to have .*$/, 'expected a text that is not empty'],
  [/^expected int$/, 'expected a whole number'],
  [/^expected (number|string)$/, 'expected a $1'],
  [/^expected object$/, 'expected an object'],
];

/** What a schema expected, of its message. */
export const expectedOf = (message: string): string =>
  WORDS.reduce((text, [pattern, word]) => text.replace(pattern, word), message);

/** Counts and lengths: beyond, products of them are no finite numbers any more. */
export const COUNT_MAX = 1e15;
export const count = z.number().int().positive().max(COUNT_MAX);
/** Bytes, operations, and both a second: so that no time comes out infinite, or as nothing. */
export const amount = z.number().positive().min(1).max(1e30);
/** Seconds, up to thirty years. */
export const duration = z.number().nonnegative().max(1e9);

/** `given` as the schema has it. Throws `RangeError('cluster.json: "ranks" expected …, got …')`. */
export function checked<T>(schema: z.ZodType<T>, given: unknown, where: string): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw new RangeError(`${where}: not of its form`);
  if (issue.code === 'unrecognized_keys') {
    throw new RangeError(`${where}: expected no field "${issue.keys.join('", "')}"`);
  }
  const field = issue.path.join('.');
  const wanted = expectedOf(issue.message);
  const name = field === '' ? '' : `"${field}" `;
  throw new RangeError(`${where}: ${name}${wanted}, got ${textOf(at(given, issue.path))}`);
}
