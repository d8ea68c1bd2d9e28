/**
 * Data from outside held against its schema: the first thing that is wrong, as a sentence.
 * @module
 */
import type { z } from 'zod';

function textOf(value: unknown): string {
  if (value === undefined) return 'nothing';
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
  [/^Too small: expected string to have .*$/, 'expected a text that is not empty'],
  [/^expected int$/, 'expected a whole number'],
  [/^expected (number|string)$/, 'expected a $1'],
  [/^expected object$/, 'expected an object'],
];

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
  const wanted = WORDS.reduce(
    (text, [pattern, word]) => text.replace(pattern, word),
    issue.message,
  );
  const name = field === '' ? '' : `"${field}" `;
  throw new RangeError(`${where}: ${name}${wanted}, got ${textOf(at(given, issue.path))}`);
}
