/**
 * The long variant of fuzz.test.ts: ten faults of the zoo, a minute each, shrunk to four queries, four
 * keys and one head.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCase } from '../reference/case-folder.ts';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'xattn-fuzz-long-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Runs the built command line; the zoo's own candidate is built beside it. */
function fuzz(fault: string) {
  const folder = join(work, fault);
  const candidate = `node dist/properties/zoo/candidate.js --fault ${fault}`;
  const words = ['fuzz', '--candidate', candidate, '--out', folder, '--max-seconds', '60'];
  const { status, stdout } = spawnSync('node', ['dist/gate/cli.js', ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout, folder };
}

const findingsIn = (folder: string): string[] =>
  existsSync(join(folder, 'fuzz'))
    ? readdirSync(join(folder, 'fuzz')).map((name) => join(folder, 'fuzz', name))
    : [];

/** Faults of ten sorts that show on four queries, four keys and one head. */
const TEN = [
  'phantom-key',
  'scale-missing',
  'softcap-missing',
  'mask-inverted',
  'delta-missing',
  'dlse-ignored',
  'sink-missing',
  'dropout-missing-in-dv',
  'lse-base-2-output',
  'last-hop-missing',
];

describe('xattn fuzz --max-seconds 60', () => {
  for (const fault of TEN) {
    it(`finds ${fault} and shrinks it to at most four queries, four keys, one head`, () => {
      const { status, stdout, folder } = fuzz(fault);
      expect(stdout).toContain('again: xattn replay');
      expect(status).toBe(1);
      const small = findingsIn(folder).filter((kept) => {
        const { seq_q, seq_kv, heads } = readCase(kept).parameters;
        return seq_q <= 4 && seq_kv <= 4 && heads === 1;
      });
      expect(small.length, stdout).toBeGreaterThan(0);
    });
  }
});
