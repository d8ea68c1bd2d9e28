import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROFILE_NAMES } from '../../reference/bounds/lemmas/profile.ts';
import { applied, mutantsOf } from './mutants.ts';
import { TARGETS } from './targets.ts';

describe('mutants', () => {
  it('change operators, numbers, conditions, calls and statements, and never types', () => {
    const source = 'export const f = (x: -1 | 2): number => (x > 1 ? Math.abs(x) * 2 : -x);\n';
    expect(mutantsOf(source).map((mutant) => applied(source, mutant).slice(17, -2))).toEqual([
      '(x: -1 | 2): number => (true ? Math.abs(x) * 2 : -x)',
      '(x: -1 | 2): number => (false ? Math.abs(x) * 2 : -x)',
      '(x: -1 | 2): number => (x >= 1 ? Math.abs(x) * 2 : -x)',
      '(x: -1 | 2): number => (x > 0 ? Math.abs(x) * 2 : -x)',
      '(x: -1 | 2): number => (x > 1 ? (x) * 2 : -x)',
      '(x: -1 | 2): number => (x > 1 ? Math.abs(x) / 2 : -x)',
      '(x: -1 | 2): number => (x > 1 ? Math.abs(x) * 0 : -x)',
      '(x: -1 | 2): number => (x > 1 ? Math.abs(x) * 2 : x)',
    ]);
    expect(mutantsOf('f();\nlet a = 1;\na += 2;').map(({ line }) => line)).toEqual([1, 2, 3, 3, 3]);
  });

  it('have sources and tests that exist', () => {
    for (const { source, tests } of TARGETS) {
      const files = tests.map((test) => test.split('#')[0] ?? '');
      expect([source, ...files].filter((file) => !existsSync(file))).toEqual([]);
    }
  });

  it('name only tests that there are: another name would pass whatever is broken', () => {
    for (const [file, name] of TARGETS.flatMap(({ tests }) =>
      tests.map((test) => test.split('#')),
    )) {
      if (name === undefined) continue;
      expect(file).toBe('properties/honest/honest.test.ts');
      expect(readFileSync(file!, 'utf8')).toMatch(/are never refused at \$\{profile\},/);
      expect(PROFILE_NAMES.map((profile) => `at ${profile},`)).toContain(name);
    }
  });
});
