/**
 * The table of claims, trace.json: its form, what it must name, and the README's table made from it.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export const ROOT = join(import.meta.dirname, '..');
const THEORY = join(import.meta.dirname, 'theory');

const names = z.array(z.string().min(1)).min(1).optional();
const Claim = z.strictObject({
  id: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
  /** What is claimed, in one sentence; the exact statement is the theorem's. */
  claim: z.string().regex(/^[^\n]+\.$/),
  status: z.enum(['proved', 'model-checked', 'tested', 'assumed', 'derived on paper']),
  /** Module.theorem of theory/. */
  proved: names,
  /** Checks of protocol/lanes.pml, or `deadlock`. */
  checked: names,
  /** A test file, or `file: words of one test's title`. */
  tested: names,
  /** A file, or `file#top-level name`. */
  code: names,
});
export type Claim = z.infer<typeof Claim>;

const Trace = z.strictObject({
  sections: z.array(z.strictObject({ id: z.string(), title: z.string(), claims: z.array(Claim) })),
});
export type Trace = z.infer<typeof Trace>;

/** Reads trace.json. Throws with the place of whatever is not of its form. */
export function readTrace(): Trace {
  return Trace.parse(JSON.parse(readFileSync(join(import.meta.dirname, 'trace.json'), 'utf8')));
}

export function claimsOf(trace: Trace): Claim[] {
  return trace.sections.flatMap(({ claims }) => claims);
}

/** Every theorem of theory/, as Module.theorem, and the header of its file. */
export function theorems(): { readonly name: string; readonly header: string }[] {
  return readdirSync(THEORY)
    .filter((file) => file.endsWith('.v'))
    .flatMap((file) => {
      const text = readFileSync(join(THEORY, file), 'utf8');
      const header = text.slice(0, text.indexOf('*)'));
      return [...text.matchAll(/^ *Theorem ([A-Za-z0-9_']+)/gm)].map(([, name]) => ({
        name: `${file.slice(0, -2)}.${name}`,
        header,
      }));
    });
}

/** `file: words` cut in two; no words where a whole file is named. */
export function testName(entry: string): { readonly file: string; readonly words: string | null } {
  const at = entry.indexOf(': ');
  return at < 0
    ? { file: entry, words: null }
    : { file: entry.slice(0, at), words: entry.slice(at + 2) };
}

/** What is wrong with a named test, as far as its source shows; null when nothing is. */
export function missingTest(entry: string): string | null {
  const { file, words } = testName(entry);
  if (!/\.(test|check|property|long)\.ts$/.test(file)) return `${entry}: no test file`;
  if (!existsSync(join(ROOT, file))) return `${entry}: no such file`;
  if (words === null) return null;
  const source = readFileSync(join(ROOT, file), 'utf8');
  return source.includes(words) ? null : `${entry}: no test with these words`;
}

/** What is wrong with a named piece of code; null when nothing is. */
export function missingCode(entry: string): string | null {
  const [file = '', name] = entry.split('#');
  if (!existsSync(join(ROOT, file))) return `${entry}: no such file`;
  if (name === undefined) return null;
  const declared = new RegExp(
    `^(export )?(async )?(function\\*?|const|interface|type) ${name}\\b`,
    'm',
  );
  const source = readFileSync(join(ROOT, file), 'utf8');
  return declared.test(source) ? null : `${entry}: no such top-level name`;
}

const fileLink = (file: string): string => `[${file.split('/').at(-1)}](../${file})`;

function codeCell(entry: string): string {
  const [file = '', name] = entry.split('#');
  return name === undefined ? fileLink(file) : `${fileLink(file)} \`${name}\``;
}

function provedCell({ proved = [], checked = [] }: Claim): string {
  const modules = [...new Set(proved.map((name) => name.split('.')[0] ?? ''))].map((module) => {
    const own = proved.filter((name) => name.startsWith(`${module}.`));
    const list = own.map((name) => `\`${name.slice(module.length + 1)}\``).join(', ');
    return `[${module}](theory/${module}.v): ${list}`;
  });
  const checks = checked.map((name) => `\`${name}\``).join(', ');
  return [
    ...modules,
    ...(checks === '' ? [] : [`[lanes.pml](protocol/lanes.pml): ${checks}`]),
  ].join('; ');
}

function row(claim: Claim): string {
  const tested = [...new Set((claim.tested ?? []).map((entry) => testName(entry).file))];
  const cells = [
    claim.claim.replaceAll('|', '\\|'),
    `**${claim.status}**`,
    provedCell(claim),
    tested.map(fileLink).join(', '),
    (claim.code ?? []).map(codeCell).join(', '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The README's table. */
export function claimsTable(trace: Trace): string {
  return trace.sections
    .map(({ title, claims }) =>
      [
        `### ${title}`,
        '',
        '| Claim | Status | Proved or checked in | Tested by | Implemented at |',
        '| --- | --- | --- | --- | --- |',
        ...claims.map(row),
        '',
      ].join('\n'),
    )
    .join('\n');
}
