/**
 * The long variant of fuzz.test.ts: ten faults of the zoo, a minute each, shrunk to four queries, four
 * keys and one head, and each answered again with the same bits and the same verdict.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCase } from '../reference/files/case-folder.ts';
import { readSafetensors } from '../reference/files/safetensors.ts';
import { toFlat } from '../reference/numbers/tensor.ts';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'xattn-fuzz-long-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const zoo = (fault: string) => `node dist/properties/zoo/candidate.js --fault ${fault}`;

/** Runs the built command line; the zoo's own candidate is built beside it. */
function xattn(...words: string[]) {
  return spawnSync('node', ['dist/gate/cli.js', ...words], { cwd: root, encoding: 'utf8' });
}

function fuzz(fault: string) {
  const folder = join(work, fault);
  const words = ['--candidate', zoo(fault), '--out', folder, '--max-seconds', '60', '--seed', '1'];
  const { status, stdout } = xattn('fuzz', ...words);
  return { status, stdout, folder };
}

/** Every number of an outputs file; a NaN is a NaN, whose sign JavaScript engines do not keep. */
function numbersIn(folder: string): [string, number[]][] {
  const { tensors } = readSafetensors(readFileSync(join(folder, 'outputs.safetensors')));
  return [...tensors].map(([name, { tensor }]) => [name, toFlat(tensor)]);
}

/** What the fault writes when it is asked the kept question once more, in a folder of its own. */
function answerAgain(fault: string, kept: string): [string, number[]][] {
  const folder = mkdtempSync(join(work, 'again-'));
  for (const name of ['case.json', 'inputs.safetensors']) {
    copyFileSync(join(kept, name), join(folder, name));
  }
  const input = `${JSON.stringify({ case: folder })}\n`;
  spawnSync('sh', ['-c', zoo(fault)], { cwd: root, input });
  return numbersIn(folder);
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
      const seconds = findingsIn(folder)
        .map((kept) => JSON.parse(readFileSync(join(kept, 'fuzz.json'), 'utf8')))
        .map(({ shrinkSeconds }) => shrinkSeconds as number)
        .sort((a, b) => a - b);
      console.log(JSON.stringify({ fault, findings: seconds.length, shrinkSeconds: seconds }));
      for (const kept of small) {
        // toEqual is Object.is on numbers: every bit, −0 included.
        expect(answerAgain(fault, kept)).toEqual(numbersIn(kept));
        const { reason } = JSON.parse(readFileSync(join(kept, 'fuzz.json'), 'utf8'));
        const again = xattn('replay', kept, '--candidate', zoo(fault));
        expect(again.status).toBe(1);
        expect(again.stdout).toContain(reason);
      }
    });
  }
});
