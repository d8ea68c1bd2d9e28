import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type FailsAfresh, failsAfter, traceMemory } from './after-others.ts';
import { processCandidate } from './candidates/process.ts';
import { runSuite } from './run-suite.ts';
import type { SuiteCase } from './suite.ts';
import { smallSuite } from './testing/cases.ts';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'xattn-memory-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const CASES = smallSuite(Array.from({ length: 20 }, (_, n) => `t/${n}`));
const victim = CASES.at(-1)!;
const before = CASES.slice(0, -1);

/** A candidate that fails the last question when `fault` holds of the ids before it. */
const asker =
  (fault: (ids: readonly string[]) => boolean): FailsAfresh<SuiteCase> =>
  (sequence) =>
    Promise.resolve(fault(sequence.slice(0, -1).map(({ id }) => id)));

describe('what a failing case needs in order to fail', () => {
  const shortestOf = async (fault: (ids: readonly string[]) => boolean) => {
    const found = await failsAfter(victim, before, asker(fault));
    return found.kind === 'after' ? found.before.map(({ id }) => id) : found.kind;
  };

  it('is nothing, where it fails alone', async () => {
    expect(await shortestOf(() => true)).toBe('alone');
  });

  it('is found to be one question, or two that lie apart, in their order', async () => {
    expect(await shortestOf((ids) => ids.includes('t/18'))).toEqual(['t/18']);
    expect(await shortestOf((ids) => ids.includes('t/3'))).toEqual(['t/3']);
    expect(await shortestOf((ids) => ids.includes('t/2') && ids.includes('t/11'))).toEqual([
      't/2',
      't/11',
    ]);
    expect(await shortestOf((ids) => ids.length >= 4)).toHaveLength(4);
  });

  it('is unknown, where the failure does not come back', async () => {
    expect(await shortestOf(() => false)).toBe('unsteady');
  });
});

describe('where no more may be asked again', () => {
  const budget = (questions: number) => {
    let left = questions;
    return (asked: number): boolean => {
      if (asked > left) return false;
      left -= asked;
      return true;
    };
  };
  const found = (questions: number, fault: (ids: readonly string[]) => boolean) =>
    failsAfter(victim, before, asker(fault), budget(questions));

  it('a case that was not asked again is not said to have been', async () => {
    const later = (ids: readonly string[]) => ids.length >= 10;
    expect(await found(0, later)).toEqual({ kind: 'unasked', passesAlone: false });
    expect(await found(5, later)).toEqual({ kind: 'unasked', passesAlone: true });
    expect(await found(26, () => false)).toEqual({ kind: 'unsteady' });
  });

  it('the whole sequence is kept, or as short a one as was found', async () => {
    const whole = await found(26, (ids) => ids.length >= 10);
    expect(whole).toEqual({ kind: 'after', before, spent: true });
    const shorter = await found(65, (ids) => ids.length >= 10);
    expect(shorter).toMatchObject({ kind: 'after', spent: true });
  });
});

const FAKE = join(root, 'gate/testing/fake-candidate.mjs');

/** A run of small cases and what asking again has added to it. */
async function tracedRun(fault: string, count: number) {
  const candidate = processCandidate({
    command: `exec '${process.execPath}' '${FAKE}' ${fault}`,
    timeoutMs: 10_000,
  });
  try {
    const started = await candidate.start();
    const options = { started, profile: 'f32', direction: 'forward', outDir: null } as const;
    const cases = smallSuite(Array.from({ length: count }, (_, n) => `t/${n}`));
    const results = await runSuite(candidate, cases, options);
    const turnOf = (id: string) => cases.findIndex((one) => one.id === id);
    return { results, left: await traceMemory(candidate, { cases, turnOf }, results, options) };
  } finally {
    await candidate.close();
  }
}

describe('a run with many failing cases', () => {
  it('tells how many were left alone, since those before them failed alone too', async () => {
    const { left } = await tracedRun('wrong', 8);
    expect(left).toBe(3);
    expect((await tracedRun('wrong', 5)).left).toBe(0);
  });
});

describe('a sequence that cannot be kept', () => {
  it('costs no verdict, leaves no part of itself, and is said', async () => {
    const command = `exec '${process.execPath}' gate/testing/fake-candidate.mjs stale-buffer`;
    const candidate = processCandidate({ command, timeoutMs: 10_000 });
    try {
      const started = await candidate.start();
      const options = { started, profile: 'f32', direction: 'both', outDir: work } as const;
      const cases = smallSuite(['full/0', 'full/1']);
      const results = await runSuite(candidate, cases, options);
      const { kept } = results[1]!;
      writeFileSync(join(kept!, 'before'), 'a file where the folder would be');
      const turnOf = (id: string) => cases.findIndex((one) => one.id === id);
      await traceMemory(candidate, { cases, turnOf }, results, options);
      const { verdict, notKept } = results[1]!;
      expect(verdict.verdict).toBe('impossible');
      expect(verdict.reason).toMatch(/fails after one other \(full\/0\)$/);
      expect(notKept).toMatch(/^the questions before it, .*: a part of the path is not a folder$/);
      expect(existsSync(join(kept!, 'before'))).toBe(false);
    } finally {
      await candidate.close();
    }
  });
});

function xattn(...words: string[]) {
  const ended = spawnSync('node', ['dist/gate/cli.js', ...words], { cwd: root, encoding: 'utf8' });
  return { status: ended.status, stdout: ended.stdout };
}

describe('a candidate that remembers', () => {
  const gate = (fault: string, only: string, ...more: string[]) => {
    const out = join(work, fault);
    const candidate = `${process.execPath} gate/testing/fake-candidate.mjs ${fault}`;
    const words = ['--suite', 'core', '--only', only, '--seed', '1', '--out', out];
    return { ...xattn('gate', ...words, '--candidate', candidate, ...more), candidate };
  };
  const replayed = (stdout: string) => /xattn replay (\S+) /.exec(stdout)?.[1] ?? '';

  it.each(['stale-buffer', 'cache-by-shape'])(
    '%s: its shortest sequence is kept, and replays',
    (fault) => {
      const { status, stdout, candidate } = gate(fault, '*/state/0[1-4]');
      expect(status).toBe(1);
      expect(stdout).toMatch(/fails only after earlier questions: .* fails after one other/);
      const kept = replayed(stdout);
      expect(readdirSync(join(kept, 'before'))).toEqual(['001']);
      const again = xattn('replay', kept, '--candidate', candidate);
      expect(again.stdout).toMatch(/after 1 questions of/);
      expect(again.status).toBe(1);
      rmSync(join(kept, 'before'), { recursive: true });
      expect(xattn('replay', kept, '--candidate', candidate).status).toBe(0);
    },
  );

  it('first-call: the case fails alone, in a fresh process, and its replay does too', () => {
    const { status, stdout, candidate } = gate('first-call', '*/state/0[1-4]');
    expect(status).toBe(1);
    expect(stdout).not.toMatch(/only after earlier/);
    const kept = replayed(stdout);
    expect(existsSync(join(kept, 'before'))).toBe(false);
    expect(xattn('replay', kept, '--candidate', candidate).status).toBe(1);
  });

  it('asked twice: what is wrong the second time is found, and what it needs', () => {
    const only = '*/basic/batch';
    expect(gate('wrong-again', only).status).toBe(0);
    const { status, stdout, candidate } = gate('wrong-again', only, '--repeat', '2');
    expect(stdout).toMatch(/asked for the second time, after a right answer; fails only after/);
    expect(status).toBe(1);
    expect(xattn('replay', replayed(stdout), '--candidate', candidate).status).toBe(1);
  });

  it('asked twice: other bits within the bounds are named, and fail nothing', () => {
    const { status, stdout } = gate('unsteady', '*/basic/*', '--repeat', '2');
    expect(stdout).toMatch(
      /not deterministic: \d+ answers? with other bits when asked again:\n +core\//,
    );
    expect(status).toBe(0);
    expect(gate('none', '*/basic/*', '--repeat', '2').stdout).not.toMatch(/not deterministic/);
  });
});
