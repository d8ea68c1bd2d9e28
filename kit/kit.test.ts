import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const python = process.env.XATTN_PYTHON ?? 'python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
const required = process.env.XATTN_REQUIRE_TOOLS === '1';
const scratch = mkdtempSync(join(tmpdir(), 'xattn-kit-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

if (!hasNumpy && !required) {
  console.warn(`SKIPPED: the Python candidates are not tested, ${python} has no NumPy`);
}

interface Report {
  summary: { pass: number; fail: number; skip: number; broken: number };
  cases: { id: string; verdict: string; reason: string }[];
}

/** Runs the gate on a candidate; the exit status and the report it wrote. */
function gate(candidate: string, ...options: string[]): { status: number | null; report: Report } {
  const file = join(scratch, `report-${Math.floor(performance.now() * 1000)}.json`);
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      'dist/gate/cli.js',
      'gate',
      '--suite',
      'core',
      '--candidate',
      candidate,
      '--report',
      file,
      '--out',
      join(scratch, 'out'),
      '--seed',
      '1',
      ...options,
    ],
    { cwd: root, encoding: 'utf8' },
  );
  if (status === 2) throw new Error(stderr);
  return { status, report: JSON.parse(readFileSync(file, 'utf8')) };
}

const failing = (report: Report) =>
  report.cases
    .filter(({ verdict }) => ['impossible', 'improbable', 'broken'].includes(verdict))
    .map(({ id, reason }) => `${id}: ${reason}`);

/** The fault of the published code, and a case of `core` made to show it. */
const FAULTS: [string, string][] = [
  ['phantom-key', 'core/probe/phantom-key-few-keys'],
  ['odd-ring-buffer', 'core/probe/rank-tags-3'],
  ['unshifted-merge', 'core/probe/lse-above-89'],
  ['empty-shard-nan', 'core/probe/shard-1-masked-for-some-rows'],
  ['recompute-no-gradient', 'core/probe/recompute-gradients'],
  ['no-group-reduction', 'core/probe/group-gradients'],
  ['local-causal', 'core/probe/causal-top-left-ranks'],
];

describe.skipIf(!hasNumpy && !required)('the NumPy candidates', () => {
  const honest = `${python} kit/python/numpy_attention.py`;
  const merges = `${python} kit/python/merge_states.py`;

  for (const dtype of ['f32', 'f64']) {
    it(`honest ${dtype} work passes all of core, nothing skipped that it supports`, () => {
      const { status, report } = gate(`${honest} --dtype ${dtype}`);
      expect(failing(report)).toEqual([]);
      expect(status).toBe(0);
      expect(report.summary.pass).toBeGreaterThan(300);
      const skipped = report.cases.filter(({ verdict }) => verdict === 'skip').map(({ id }) => id);
      expect(skipped.filter((id) => !id.startsWith('core/dtype/f64'))).toEqual([]);
      expect(skipped.length).toBe(dtype === 'f64' ? 0 : 3);
    });
  }

  for (const [fault, shownBy] of FAULTS) {
    it(`${fault} is refused, by ${shownBy} among others`, () => {
      const { status, report } = gate(`${honest} --fault ${fault}`);
      expect(status).toBe(1);
      const shown = report.cases.find(({ id }) => id === shownBy);
      expect(shown?.verdict).toBe('impossible');
      expect(report.summary.pass).toBeGreaterThan(0);
    });
  }

  it.each(['numpy --way quotient', 'torch --way sigmoid'])(
    'merges of partial results in %s pass the suite merge',
    (how) => {
      const { status, report } = gate(`${merges} --library ${how}`, '--suite', 'merge');
      expect(failing(report)).toEqual([]);
      expect(status).toBe(0);
      expect(report.summary.pass).toBeGreaterThan(22);
    },
  );

  it('a merge whose weights are swapped is refused', () => {
    const { status, report } = gate(`${merges} --fault swapped`, '--suite', 'merge');
    expect(status).toBe(1);
    expect(report.summary.fail).toBeGreaterThan(15);
  });

  it('lists its faults', () => {
    const listed = execFileSync(python, ['kit/python/numpy_attention.py', '--list-faults'], {
      cwd: root,
      encoding: 'utf8',
    });
    for (const [fault] of FAULTS) expect(listed).toContain(fault);
  });

  it('the 30-line example passes what it supports', () => {
    const { status, report } = gate(`${python} kit/python/example.py`);
    expect(failing(report)).toEqual([]);
    expect(status).toBe(0);
    expect(report.summary.pass).toBeGreaterThan(40);
  });
});

const hasCompiler = spawnSync('cc', ['--version']).status === 0;
if (!hasCompiler && !required)
  console.warn('SKIPPED: the C candidate is not tested, there is no cc');

describe.skipIf(!hasCompiler && !required)('the C candidate', () => {
  it('passes all of core that it supports, under the sanitizers', () => {
    const program = join(scratch, 'attention');
    const checks = ['-std=c99', '-g', '-O1', '-fsanitize=address,undefined'];
    const source = join(root, 'kit/c/attention.c');
    execFileSync('cc', [...checks, '-fno-sanitize-recover', '-o', program, source, '-lm']);
    const { status, report } = gate(program);
    expect(failing(report)).toEqual([]);
    expect(status).toBe(0);
    expect(report.summary.pass).toBeGreaterThan(200);
  });
});

const hasCargo = spawnSync('cargo', ['--version']).status === 0;
if (!hasCargo && !required)
  console.warn('SKIPPED: the Rust candidate is not tested, there is no cargo');

describe.skipIf(!hasCargo && !required)('the Rust candidate', () => {
  const target = join(scratch, 'rust');
  const manifest = join(scratch, 'rust-source/Cargo.toml');
  const cargo = (...what: string[]): string =>
    execFileSync(
      'cargo',
      [...what, '--offline', '--target-dir', target, '--manifest-path', manifest],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );

  it('passes all of core that it supports, merges too, and its own tests', () => {
    // Cargo writes its lock file beside the sources.
    cpSync(join(root, 'kit/rust'), join(scratch, 'rust-source'), { recursive: true });
    expect(cargo('test')).toMatch(/test result: ok\. 3 passed/);
    cargo('build', '--release');
    const { status, report } = gate(join(target, 'release/candidate'));
    expect(failing(report)).toEqual([]);
    expect(status).toBe(0);
    expect(report.summary.pass).toBeGreaterThan(200);
    const merged = report.cases.filter(({ id }) => id.startsWith('core/merge/'));
    expect(merged.map(({ verdict }) => verdict)).toEqual(merged.map(() => 'pass'));
  });
});

describe('the JavaScript candidates', () => {
  it('the example passes what it supports', () => {
    const { status, report } = gate('node kit/javascript/example.mjs');
    expect(failing(report)).toEqual([]);
    expect(status).toBe(0);
    expect(report.summary.pass).toBeGreaterThan(50);
  });

  it('ONNX Runtime passes what its operator defines, forward', () => {
    const options = ['--direction', 'forward', '--allow-declined'];
    const { status, report } = gate('node kit/onnxruntime/attention.mjs', ...options);
    expect(failing(report)).toEqual([]);
    expect(status).toBe(0);
    expect(report.summary.pass).toBeGreaterThan(150);
  });
});
