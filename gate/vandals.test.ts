import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processCandidate } from './candidates/process.ts';
import { evidence } from './report/evidence.ts';
import { type CaseResult, runSuite } from './run-suite.ts';
import { smallSuite } from './testing/cases.ts';

const FAKE = fileURLToPath(new URL('./testing/fake-candidate.mjs', import.meta.url));
let out = '';

beforeAll(() => {
  out = mkdtempSync(path.join(tmpdir(), 'xattn-vandals-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** Three cases; the fault is in the second. */
async function run(
  fault: string,
  { timeoutMs = 10_000, outDir = out } = {},
): Promise<CaseResult[]> {
  const command = `exec '${process.execPath}' '${FAKE}' ${fault} b`;
  const candidate = processCandidate({ command, timeoutMs });
  try {
    const started = await candidate.start();
    const options = { started, profile: 'f32', direction: 'both', outDir } as const;
    return await runSuite(candidate, smallSuite(['t/a', 't/b', 't/c']), options);
  } finally {
    await candidate.close();
  }
}

const verdicts = (results: CaseResult[]): string[] => results.map((r) => r.verdict.verdict);

describe('whatever a candidate does on one case, the verdict on it is broken and the gate goes on', () => {
  it.each<[fault: string, reason: RegExp]>([
    ['deletes', /"outputs.safetensors" expected a file in the case folder, got none/],
    ['deletes-all', /"outputs.safetensors" expected a file in the case folder, got none/],
    ['empties', /"outputs.safetensors" expected a file in the case folder, got none/],
    ['file-for-folder', /"outputs.safetensors" expected a file in the case folder, got none/],
    ['folder-for-outputs', /expected a regular file in the case folder/],
    ['deep-answer', /^its answer: the line expected JSON at most 64 deep, got deeper$/],
    ['two-statuses', /^its answer: the line expected each name once, got "status" twice$/],
    ['deep-header', /^safetensors header expected JSON at most 64 deep, got deeper$/],
    ['fifo', /expected a regular file in the case folder/],
    ['sparse', /expected at most \d+ bytes, got 10737418240/],
    ['early', /"outputs.safetensors" expected a file in the case folder, got none/],
    ['closes-output', /^it closed its standard output before it answered$/],
    ['leaves-daemon', /^it exited with status 6 before it answered$/],
  ])('%s', async (fault, reason) => {
    const results = await run(fault);
    expect(verdicts(results)).toEqual(['pass', 'broken', 'pass']);
    expect(results[1]!.verdict.reason).toMatch(reason);
  });

  // Told at once, long before the time limit.
  it.each([
    ['in-one-line', 'its answer: expected one object in a line, got more'],
    ['utf-16', 'its answer: expected UTF-8, got NUL or another encoding'],
    ['with-nul', 'its answer: expected UTF-8, got NUL or another encoding'],
    ['deep-list', 'its line: expected JSON at most 64 deep, got deeper'],
    ['in-a-list', 'its answer: expected an object, got a list'],
    ['endless', 'its answer: expected a line of at most 1 MiB, got more'],
  ])('%s', async (fault, reason) => {
    const results = await run(fault);
    expect(verdicts(results)).toEqual(['pass', 'broken', 'pass']);
    expect(results[1]!.verdict.reason).toBe(reason);
  });

  it('closes-input: the case is judged, the next one is broken', async () => {
    const results = await run('closes-input', { timeoutMs: 1500 });
    expect(verdicts(results)).toEqual(['pass', 'pass', 'broken']);
  });

  it.each(['carriage-return', 'flood-output', 'flood-errors'])('%s does no harm', async (fault) => {
    expect(verdicts(await run(fault))).toEqual(['pass', 'pass', 'pass']);
  });

  it('cannot be started at all: broken, with the reason', async () => {
    for (const command of ['a\0b', `: ${'x'.repeat(1 << 22)}`]) {
      const candidate = processCandidate({ command, timeoutMs: 1000 });
      const started = await candidate.start();
      expect(started).toMatchObject({
        ok: false,
        reason: expect.stringMatching(/^it could not be started: /),
      });
      await candidate.close();
    }
  });
});

describe('a failing case that cannot be kept', () => {
  it('keeps its verdict, and says so', async () => {
    const results = await run('wrong', { outDir: '/dev/null/out' });
    expect(verdicts(results)).toEqual(['pass', 'impossible', 'pass']);
    const lines = evidence({ ...results[1]!, replay: null });
    expect(lines.join('\n')).toMatch(
      /^could not be kept: .*: a part of the path is not a folder$/m,
    );
  });
});

describe('the time until it says hello', () => {
  it('is not the time for an answer', async () => {
    const command = `sleep 1.2; '${process.execPath}' '${FAKE}'`;
    for (const [startTimeoutMs, ok] of [
      [10_000, true],
      [300, false],
    ] as const) {
      const candidate = processCandidate({ command, timeoutMs: 700, startTimeoutMs });
      const started = await candidate.start();
      await candidate.close();
      expect(started.ok).toBe(ok);
      if (!started.ok) expect(started.reason).toBe('it did not say hello within 0.3 s');
    }
  });
});
