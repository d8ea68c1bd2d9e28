/** spec/case.md names every field, input and output there is, and none that is not; its case is one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { INPUT_NAMES, OUTPUT_NAMES } from '../reference/case/case.ts';
import { MERGE_FIELDS, writtenFields } from '../reference/case/merge-case.ts';
import { validateParameters } from '../reference/case/validate.ts';

const page = readFileSync(join(import.meta.dirname, 'case.md'), 'utf8');
const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/schema/case.schema.json'), 'utf8'),
);

/** Names in the first column of the table under a heading. */
function rows(heading: string): string[] {
  const section = page.split(/^###? /m).find((one) => one.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name ?? '');
}

describe('spec/case.md', () => {
  it('names what there is', () => {
    const fields = schema.anyOf.flatMap((one: { properties: object }) =>
      Object.keys(one.properties),
    );
    expect(rows('`case.json`').sort()).toEqual([...new Set(fields)].sort());
    expect(rows('`inputs').sort()).toEqual([...INPUT_NAMES].sort());
    expect(rows('`outputs').sort()).toEqual([...OUTPUT_NAMES].sort());
  });

  it('shows a case that the schema and the reader take', () => {
    const [, json = ''] = /```json\n(.*?)```/s.exec(page) ?? [];
    const example = JSON.parse(json);
    expect(new Ajv().compile(schema)(example)).toBe(true);
    expect(validateParameters(example)).toEqual(example);
    const { scale: _, ...less } = example;
    expect(new Ajv().compile(schema)(less)).toBe(false);
  });

  it('shows a merge that the schema and the reader take', () => {
    const [, [, json = ''] = []] = page.matchAll(/```json\n(.*?)```/gs);
    const example = JSON.parse(json);
    expect(new Ajv().compile(schema)(example)).toBe(true);
    const { op: _, ...less } = example;
    expect(new Ajv().compile(schema)(less)).toBe(false);
    expect(writtenFields(validateParameters(example))).toEqual(example);
    expect(Object.keys(example)).toEqual([...MERGE_FIELDS]);
  });
});
