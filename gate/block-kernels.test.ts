import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const python = process.env.XATTN_PYTHON ?? 'python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
const required = process.env.XATTN_REQUIRE_TOOLS === '1';
const work = mkdtempSync(join(tmpdir(), 'xattn-blocks-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

if (!hasNumpy && !required) {
  console.warn(`SKIPPED: the block kernels in NumPy are not tested, ${python} has no NumPy`);
}

/** The suite smoke put to properties/honest/outside/flash.py with these words. */
function smoke(words: string, ...options: string[]) {
  const report = join(work, `${words.replace(/\W+/g, '-')}${options.length}.json`);
  const candidate = `${python} -W ignore properties/honest/outside/flash.py ${words}`;
  const where = ['--out', work, '--report', report, '--seed', '3'];
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      'dist/gate/cli.js',
      'gate',
      '--suite',
      'smoke',
      '--candidate',
      candidate,
      ...where,
      ...options,
    ],
    { cwd: root, encoding: 'utf8', env: { ...process.env, PYTHONPATH: join(root, 'kit/python') } },
  );
  if (status === 2) throw new Error(stderr);
  const { summary, cases } = JSON.parse(readFileSync(report, 'utf8'));
  const failing = cases.filter(({ verdict }: { verdict: string }) => !/pass|skip/.test(verdict));
  return { status, summary, failing: failing.map(({ id }: { id: string }) => id) };
}

describe.skipIf(!hasNumpy && !required)(
  'block kernels in NumPy, in the order of published ones',
  () => {
    it.each([
      '--dtype f32',
      '--dtype f16',
      '--dtype bf16 --splits 2 --sum rounded',
      '--dtype f16 --maximum lazy --splits 3',
      '--dtype f16 --subnormals flushed',
      '--dtype bf16 --merge sigmoid --partials stored',
    ])('pass with %s at the profile that they declare', (words) => {
      const { status, summary, failing } = smoke(words);
      expect(failing).toEqual([]);
      expect(status).toBe(0);
      expect(summary.pass).toBeGreaterThan(35);
    });

    it('are refused at a profile that they do not keep', () => {
      const { status, failing } = smoke('--dtype f32', '--profile', 'f64');
      expect(status).toBe(1);
      expect(failing.length).toBeGreaterThan(10);
    });
  },
);
