import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawCase } from '../reference/case/draw-case.ts';
import { referenceOutputs } from '../reference/definition/reference.ts';
import { writeCase, writeOutputs } from '../reference/files/case-folder.ts';
import { tensorOf, toFlat } from '../reference/numbers/tensor.ts';

const CLI = fileURLToPath(new URL('../dist/gate/cli.js', import.meta.url));
const KIT = fileURLToPath(new URL('../kit/python/numpy_attention.py', import.meta.url));
let root = '';
let folder = '';

const question = drawCase(3, { id: 't/sampled', seq_q: 8, seq_kv: 50, sink: true });
const right = referenceOutputs(question);

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'xattn-judge-'));
  folder = path.join(root, 'case');
  writeCase(folder, question);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function xattn(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: root }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const SHARE = 'sample: 2 of 8 query rows, 3 of 50 keys';
const SAMPLE = ['--rows', '1,6', '--keys', '3', '--seed', '5'];

describe('judge', () => {
  it('judges all of the outputs that lie in the folder, and then speaks of no sample', async () => {
    writeOutputs(folder, right, 'F32');
    // Also where the sample that is asked for is all of the case: no bound of samples is as sharp.
    const all = ['--rows', '8', '--keys', '50'];
    const { status, stdout } = await xattn('judge', folder, ...all, '--report', 'whole.json');
    expect(stdout).toMatch(/^1 case judged: 1 pass, 0 fail/m);
    expect(status).toBe(0);
    const report = JSON.parse(readFileSync(path.join(root, 'whole.json'), 'utf8'));
    expect(report.summary).toMatchObject({ pass: 1, fail: 0, skip: 0, broken: 0 });
    expect(Object.keys(report.cases[0])).not.toContain('sample');
  });

  it('never lets a pass of a sample look like one of the whole, in any report', async () => {
    writeOutputs(folder, right, 'F32');
    const files = ['--report', 'part.json', '--junit', 'part.xml'];
    const { status, stdout } = await xattn('judge', folder, ...SAMPLE, ...files);
    expect(stdout).toContain(`pass of a sample t/sampled: within the bounds (${SHARE}`);
    expect(stdout).toMatch(/^1 case judged, 1 of them in a sample only: 1 pass/m);
    expect(status).toBe(0);
    const report = JSON.parse(readFileSync(path.join(root, 'part.json'), 'utf8'));
    expect(report.summary).toMatchObject({ pass: 1, fail: 0, skip: 0, broken: 0, sampled: 1 });
    expect(report.cases[0].sample).toMatchObject({
      rows: { judged: 2, of: 8 },
      keys: { judged: 3, of: 50 },
      not_judged: ['d_sink'],
    });
    expect(report.cases[0].reason).toContain(SHARE);
    const xml = readFileSync(path.join(root, 'part.xml'), 'utf8');
    expect(xml).toContain(`name="sampled (${SHARE}`);
    expect(xml).toContain('<system-out>within the bounds (sample: 2 of 8');
  });

  it('refuses what is wrong in the sample, and is silent of what is not in it', async () => {
    const { out } = right;
    const wrong = tensorOf(toFlat(out!), out!.shape);
    wrong.set(0, 1, 6, 0, wrong.get(0, 1, 6, 0) + 0.25);
    writeOutputs(folder, { ...right, out: wrong }, 'F32');
    const found = await xattn('judge', folder, ...SAMPLE);
    expect(found.stdout).toMatch(/^impossible t\/sampled: out\[0, 1, 6, 0\].*\(sample: 2 of 8/m);
    expect(found.status).toBe(1);
    const elsewhere = await xattn('judge', folder, '--rows', '0,5', '--keys', '3');
    expect(elsewhere.stdout).toContain('pass of a sample');
    expect(elsewhere.status).toBe(0);
    expect((await xattn('judge', folder)).status).toBe(1);
  });

  it('judges dY at the chosen keys of a case that recomputes them', async () => {
    const features = path.join(root, 'features');
    const shape = { seq_q: 8, seq_kv: 50, dim_y: 3, batch: 2, kv_heads: 2 };
    const recomputed = drawCase(4, { id: 't/features', ...shape });
    const answer = referenceOutputs(recomputed);
    writeCase(features, recomputed);
    writeOutputs(features, answer, 'F32');
    const passed = await xattn('judge', features, ...SAMPLE, '--report', 'features.json');
    expect(passed.stdout).toContain('pass of a sample t/features: within the bounds');
    const { sample } = JSON.parse(readFileSync(path.join(root, 'features.json'), 'utf8')).cases[0];
    const judged = 2 * (2 * 2 * (6 + 8 + 1) + 2 * 3 * (6 + 8) + 3 * 3);
    expect([sample.elements.judged, sample.not_judged]).toEqual([judged, ['d_w_k', 'd_w_v']]);
    const wrong = tensorOf(toFlat(answer.d_y!), answer.d_y!.shape);
    wrong.set(1, 20, 2, wrong.get(1, 20, 2) + 0.25);
    writeOutputs(features, { ...answer, d_y: wrong }, 'F32');
    const at = await xattn('judge', features, '--rows', '0', '--keys', '7,20');
    expect(at.stdout).toMatch(/^impossible t\/features: d_y\[1, 20, 2\]/m);
    const beside = await xattn('judge', features, '--rows', '0', '--keys', '7,21');
    expect(beside.stdout).toContain('pass of a sample');
  });

  it('takes outputs that are missing or cut short for broken, exit 3', async () => {
    const empty = path.join(root, 'empty');
    writeCase(empty, question);
    const none = await xattn('judge', empty, ...SAMPLE);
    expect(none.stdout).toContain('"outputs.safetensors" expected a file in the case folder');
    expect(none.status).toBe(3);
    writeOutputs(empty, right, 'F32');
    truncateSync(path.join(empty, 'outputs.safetensors'), 2000);
    const short = await xattn('judge', empty, ...SAMPLE);
    expect(short.stdout).toMatch(/the file is truncated/);
    expect(short.status).toBe(3);
  });

  it('says what is wrong with a sample or a folder, exit 2', async () => {
    for (const [args, reason] of [
      [[folder, '--rows', '8,'], '"rows" expected positions in 0..7, got 8'],
      [[folder, '--keys', '1,99'], '"keys" expected positions in 0..49, got 99'],
      [['nowhere'], '"CASE_DIR" expected a case folder, got nowhere'],
      [[folder, '--rows', '0', '--keys', '0'], 'a sample expected an element to judge'],
    ] as const) {
      const { status, stderr } = await xattn('judge', ...args);
      expect(stderr).toContain(reason);
      expect([status, /^\s+at /m.test(stderr)]).toEqual([2, false]);
    }
  });
});

describe('replay of a sample', () => {
  it('puts the whole question to the candidate, and judges the sample', async () => {
    const candidate = `${process.env.XATTN_PYTHON ?? 'python3'} ${KIT}`;
    const { status, stdout } = await xattn('replay', folder, ...SAMPLE, '--candidate', candidate);
    expect(stdout).toContain(`pass of a sample t/sampled: within the bounds (${SHARE}`);
    expect(status).toBe(0);
  });
});
