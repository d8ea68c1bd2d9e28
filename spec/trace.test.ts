/**
 * The table of claims names what is there, and leaves out nothing that is.
 *
 * XATTN_UPDATE=1 writes the README's table anew. That the tests it names ran and passed, and that
 * the theorems check, is for `npm run check:spec`.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  claimsOf,
  claimsTable,
  missingCode,
  missingTest,
  ROOT,
  readTrace,
  testName,
  theorems,
} from './trace.ts';

const trace = readTrace();
const claims = claimsOf(trace);
const all = theorems();
const twice = (list: readonly string[]) => list.filter((name, n) => list.indexOf(name) !== n);

const lanes = readFileSync(join(ROOT, 'spec/protocol/lanes.pml'), 'utf8');
const checks = (/mtype = \{([^}]*)\}/.exec(lanes)?.[1] ?? '').split(',').map((s) => s.trim());

/** What no machine has checked. A claim that comes or goes here changes what the project is. */
const ON_PAPER = [
  'stored-merges',
  'mixed-merges',
  'lazy-range',
  'bound-forward',
  'bound-backward',
  'ball-radii',
  'kernel-radii',
  'double-kernel-radii',
  'exact-ties',
  'sampled-bounds',
  'quick-range',
  'coarse-bounds',
];
const ASSUMED = ['engine', 'decimals', 'model', 'functional-errors', 'random-errors', 'axioms'];

/** Files of a folder of the repository, at any depth, by ending; none where there is no folder. */
function files(folder: string, ending: RegExp): string[] {
  if (!statSync(join(ROOT, folder), { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => `${folder}/${name}`);
}

describe('the table of claims', () => {
  it('has claims, each with a name of its own', () => {
    expect(claims.length).toBeGreaterThan(30);
    expect(twice(claims.map(({ id }) => id))).toEqual([]);
  });

  it('says of neither more nor fewer claims that only people have checked them, or nobody', () => {
    const ids = (wanted: string) => claims.filter((c) => c.status === wanted).map(({ id }) => id);
    expect(ids('derived on paper')).toEqual(ON_PAPER);
    expect(ids('assumed')).toEqual(ASSUMED);
  });

  it('names every theorem of the theory once, and no other', () => {
    const known = all.map(({ name }) => name);
    const named = claims.flatMap(({ proved = [] }) => proved);
    expect(known.length).toBeGreaterThan(100);
    expect(twice(named)).toEqual([]);
    expect(known.filter((name) => !named.includes(name))).toEqual([]);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('names every check of the protocol once, and no other', () => {
    const named = claims.flatMap(({ checked = [] }) => checked);
    expect([...named].sort()).toEqual([...checks, 'deadlock'].sort());
  });

  it('says "proved" of theorems, "model-checked" of checks or the tests that make them', () => {
    for (const { id, status, proved = [], checked = [], tested = [] } of claims) {
      const spin = tested.some((entry) => entry.startsWith('spec/protocol/protocol.check.ts'));
      const holds = {
        proved: proved.length > 0,
        'model-checked': proved.length === 0 && spin,
        tested: proved.length + checked.length === 0 && tested.length > 0,
        assumed: proved.length + checked.length === 0,
        'derived on paper': proved.length + checked.length === 0,
      }[status];
      expect([id, holds]).toEqual([id, true]);
    }
  });

  it('names tests and code that exist', () => {
    const wrong = claims.flatMap(({ tested = [], code = [] }) => [
      ...tested.map(missingTest),
      ...code.map(missingCode),
    ]);
    expect(wrong.filter((sentence) => sentence !== null)).toEqual([]);
  });

  it('leaves out no property and no formal check', () => {
    const named = new Set(
      claims.flatMap(({ tested = [], code = [] }) => [
        ...tested.map((entry) => testName(entry).file),
        ...code.map((entry) => entry.split('#')[0] ?? ''),
      ]),
    );
    const there = [
      ...files('properties', /\.property\.ts$/),
      ...files('properties', /-(bounds|range)\.test\.ts$/),
      ...files('spec', /\.check\.ts$/),
      ...files('spec/theory', /\.test\.ts$/),
    ];
    expect(there.filter((file) => !named.has(file))).toEqual([]);
  });

  it('is what the README shows', () => {
    const path = join(ROOT, 'spec/README.md');
    const readme = readFileSync(path, 'utf8');
    const [before, rest = ''] = readme.split('<!-- claims: made from trace.json -->\n');
    const [shown, after = '\n'] = rest.split('<!-- end of claims -->');
    const table = `\n${claimsTable(trace)}\n`;
    if (process.env.XATTN_UPDATE === '1') {
      const marks = ['<!-- claims: made from trace.json -->\n', '<!-- end of claims -->'];
      writeFileSync(path, `${before}${marks[0]}${table}${marks[1]}${after}`);
      return;
    }
    expect([shown, after]).toEqual([table, '\n']);
  });

  it('knows what is missing', () => {
    expect(missingTest('reference/no.test.ts')).toMatch('no such file');
    expect(missingTest('reference/definition/merge.ts')).toMatch('no test file');
    expect(missingTest('reference/definition/rational.test.ts: such a test')).toMatch(
      'no test with',
    );
    expect(missingCode('reference/definition/merge.ts#mergeAll')).toMatch('no such top-level name');
    expect(missingCode('reference/none.ts')).toMatch('no such file');
  });
});

describe('a theory file', () => {
  it('names each of its theorems in its header', () => {
    const silent = all.filter(({ name, header }) => !header.includes(`[${name.split('.')[1]}]`));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});
