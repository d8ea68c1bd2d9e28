import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutputName } from '../reference/case/case.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import { readCase } from '../reference/files/case-folder.ts';
import { readOutputs } from '../reference/files/given-outputs.ts';
import { readSafetensors } from '../reference/files/safetensors.ts';
import { toFlat } from '../reference/numbers/tensor.ts';
import { oracle } from '../reference/oracle/oracle.ts';
import { processCandidate } from './candidates/process.ts';
import { writeAnswers } from './keep.ts';
import { exitStatus, notReturned, summaryOf } from './report.ts';
import { type CaseResult, type RunOptions, runSuite } from './run-suite.ts';
import type { SuiteCase } from './suite.ts';
import { smallCase, smallSuite } from './testing/cases.ts';

const FAKE = fileURLToPath(new URL('./testing/fake-candidate.mjs', import.meta.url));
const IDS = ['t/a', 't/b', 't/c'];
let out = '';

beforeAll(() => {
  out = mkdtempSync(path.join(tmpdir(), 'xattn-test-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const command = (...args: string[]): string =>
  [process.execPath, FAKE, ...args].map((word) => `'${word}'`).join(' ');

type More = Pick<RunOptions, 'allowDeclined' | 'required'>;

/** Judge the cases `ids` with a candidate; results, and how often the gate waited for it. */
async function run(
  shell: string,
  { ids = IDS, timeoutMs = 10_000, ...more }: { ids?: string[]; timeoutMs?: number } & More = {},
): Promise<CaseResult[]> {
  const candidate = processCandidate({ command: shell, timeoutMs });
  try {
    const started = await candidate.start();
    const options = { started, profile: 'f32', direction: 'both', outDir: out, ...more } as const;
    return await runSuite(candidate, smallSuite(ids), options);
  } finally {
    await candidate.close();
  }
}

const verdicts = (results: CaseResult[]): string[] => results.map((r) => r.verdict.verdict);
const reasonOf = (results: CaseResult[], i = 1): string => results[i]!.verdict.reason;

describe('a candidate that is right', () => {
  it('passes, whatever else it prints', async () => {
    for (const manner of ['none', 'noise', 'huge', 'partial']) {
      const results = await run(command(manner));
      expect(verdicts(results), manner).toEqual(['pass', 'pass', 'pass']);
      expect(exitStatus(summaryOf(results))).toBe(0);
    }
  });
});

describe('a fault on one case is its verdict, and the others are still judged', () => {
  const broken: [fault: string, reason: RegExp][] = [
    ['die', /^it exited with status 7 before it answered$/],
    ['segfault', /^it was ended by SIGSEGV before it answered$/],
    ['garbage', /^it exited with status 1 before it answered$/],
    ['missing', /"outputs.safetensors" expected a file/],
    ['truncated', /safetensors/],
    ['lying-header', /safetensors header expected/],
    ['shape', /"out" .*expected shape \[1, 2, 3, 4\], got \[24\]/],
    ['dtype', /expected F64, F32, F16, BF16, got I32/],
    ['wrong-case', /^it answered for a case that it was not asked$/],
    ['status', /"status" expected one of ok unsupported error, got "done"$/],
    ['error', /^it reported an error: out of memory$/],
    ['link', /expected a readable regular file in the case folder/],
  ];
  it.each(broken)('%s is broken, exit 3', async (fault, reason) => {
    const results = await run(command(fault, 'b'));
    expect(verdicts(results)).toEqual(['pass', 'broken', 'pass']);
    expect(reasonOf(results)).toMatch(reason);
    expect(exitStatus(summaryOf(results))).toBe(3);
  });

  it.each(['nan', 'infinity', 'wrong', 'tampers'])('%s is impossible, exit 1', async (fault) => {
    const results = await run(command(fault, 'b'));
    expect(verdicts(results)).toEqual(['pass', 'impossible', 'pass']);
    expect(results[1]!.verdict.outputs.out!.worst_index).toEqual([0, 0, 0, 0]);
    expect(exitStatus(summaryOf(results))).toBe(1);
  });

  it('hanging is broken after the time allowed', async () => {
    const results = await run(command('hang', 'b'), { timeoutMs: 1500 });
    expect(verdicts(results)).toEqual(['pass', 'broken', 'pass']);
    expect(reasonOf(results)).toBe('it did not answer within 1.5 s');
  });

  it('a second answer, or an exit after an answer, breaks the next case', async () => {
    for (const [fault, reason] of [
      ['twice', 'it answered for a case that it was not asked'],
      ['foresees', 'it answered for a case that it was not asked'],
      ['exit-after', 'it exited with status 0 before it answered'],
    ] as const) {
      const results = await run(command(fault, 'a'));
      expect(verdicts(results), fault).toEqual(['pass', 'broken', 'pass']);
      expect(reasonOf(results)).toBe(reason);
    }
  });

  it('declining what it claims is broken, exit 3', async () => {
    const results = await run(command('declines', 'b'));
    expect(verdicts(results)).toEqual(['pass', 'broken', 'pass']);
    expect(reasonOf(results)).toBe('declined what it claims: head_dim 3');
    expect(exitStatus(summaryOf(results))).toBe(3);
  });

  it('declining is a skip with its reason where that is allowed, and nothing is kept', async () => {
    const results = await run(command('declines', 'b'), { allowDeclined: true });
    expect(verdicts(results)).toEqual(['pass', 'skip', 'pass']);
    expect(reasonOf(results)).toBe('the candidate declined: head_dim 3');
    expect(results[1]!.kept).toBeNull();
  });

  it('its last words come with the verdict, without escape sequences', async () => {
    const results = await run(command('garbage', 'b'));
    expect(results[1]!.log).toContain('red alarm');
    expect(results[0]!.log).toEqual([]);
  });
});

describe('a candidate that does not start', () => {
  const starts: [fault: string, reason: RegExp][] = [
    ['dies-at-start', /^it exited with status 5 before it said hello$/],
    ['no-hello', /^it did not say hello within 1 s$/],
    ['bad-hello', /"profile" expected one of f64 f32 tf32 f16 bf16, .*got "fp32"/],
    ['unknown-word', /"supports.1" expected one of forward .*, got "backwards"/],
    ['other-version', /"xattn" expected 1, the version of the protocol, got 2/],
    ['early-answer', /^it answered before it said hello$/],
  ];
  it.each(starts)('%s: every case is broken, with the reason', async (fault, reason) => {
    const timeoutMs = fault === 'no-hello' ? 1000 : 10_000;
    const results = await run(command(fault), { timeoutMs });
    expect(verdicts(results)).toEqual(['broken', 'broken', 'broken']);
    for (const { verdict } of results) expect(verdict.reason).toMatch(reason);
    expect(results.every(({ kept }) => kept === null)).toBe(true);
  });

  it.each(['yes', 'yes >&2', 'cat /dev/zero'])('%s: endless noise is no hello', async (shell) => {
    const results = await run(shell, { ids: ['t/a'], timeoutMs: 700 });
    expect(reasonOf(results, 0)).toBe('it did not say hello within 0.7 s');
    expect(results[0]!.log.length).toBeLessThanOrEqual(20);
  });

  it('a command that does not exist is said to be so', async () => {
    const results = await run('/no/such/program');
    expect(reasonOf(results)).toMatch(/status 127 \(the shell did not find the command\)/);
  });

  it('is given up after three failed starts', async () => {
    const counter = path.join(out, 'starts');
    const ids = ['t/a', 't/b', 't/c', 't/d', 't/e', 't/f'];
    const results = await run(command('no-restart', 'b', counter), { ids });
    expect(verdicts(results)).toEqual(['pass', ...Array(5).fill('broken')]);
    expect(reasonOf(results, 4)).toMatch(/^when started again, it exited with status 9/);
    expect(reasonOf(results, 5)).toMatch(/^given up after 3 failed starts/);
    expect(readFileSync(counter, 'utf8')).toBe('xxxx');
  });
});

describe('the processes of a candidate', () => {
  it('are all gone after a hang, children of children too', async () => {
    const marker = `xattn-marker-${process.pid}`;
    const shell = `${command('hang', 'a')} & sh -c 'sleep 300; : ${marker}' & wait`;
    await run(shell, { ids: ['t/a'], timeoutMs: 1500 });
    expect(processesWith(marker)).toEqual([]);
  });

  it('are ended when they outlive their standard input', async () => {
    const marker = `xattn-stubborn-${process.pid}`;
    const results = await run(`${command('none')}; sleep 300; : ${marker}`, { ids: ['t/a'] });
    expect(verdicts(results)).toEqual(['pass']);
    expect(processesWith(marker)).toEqual([]);
  });
});

/** Command lines of running processes that contain `text`; zombies have none. */
function processesWith(text: string): string[] {
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    });
  return lines.filter((line) => line.includes(text));
}

describe('what is kept of a failing case', () => {
  it('is the question as it was asked and the outputs, and at the end what was expected', async () => {
    const [result] = await run(command('tampers'), { ids: ['t/kept'] });
    expect(result!.kept).toBe(path.join(out, 't/kept'));
    const question = readCase(result!.kept!);
    expect(question.inputs.q!.data).toEqual(smallCase('t/kept').inputs.q!.data);
    const read = readOutputs(result!.kept!, question);
    expect(read.ok && read.outputs.out!.tensor.get(0, 0, 0, 0)).toBe(1000);
    const expected = path.join(result!.kept!, 'expected.safetensors');
    expect(existsSync(expected)).toBe(false);
    await writeAnswers([result!.kept!]);
    const { tensors } = readSafetensors(readFileSync(expected));
    const answer = oracle(question).values;
    expect([...tensors.keys()].sort()).toEqual(Object.keys(answer).sort());
    for (const [name, tensor] of Object.entries(answer)) {
      expect(toFlat(tensors.get(name)!.tensor)).toEqual(toFlat(tensor));
    }
  });

  it('never shows the candidate what was expected, nor what the question is called', async () => {
    const candidate = processCandidate({ command: command('none'), timeoutMs: 10_000 });
    const started = await candidate.start();
    const seen: string[][] = [];
    const names: string[] = [];
    const watched = {
      ...candidate,
      answer: (folder: string) => {
        seen.push(readdirSync(folder).sort());
        const { id } = JSON.parse(readFileSync(path.join(folder, 'case.json'), 'utf8'));
        const inputs = readFileSync(path.join(folder, 'inputs.safetensors'), 'latin1');
        names.push(folder, id, inputs);
        return candidate.answer(folder);
      },
    };
    const options = { started, profile: 'f32', direction: 'both', outDir: null } as const;
    await runSuite(watched, smallSuite(IDS), options);
    await candidate.close();
    expect(seen).toEqual(IDS.map(() => ['case.json', 'inputs.safetensors']));
    expect(names.join(' ')).not.toMatch(/t\/[abc]|random|exact/);
    expect(new Set(names.filter((name) => name.startsWith('q-'))).size).toBe(3);
  });
});

describe('what a candidate does not return, by its own word', () => {
  /** Wants nothing but what a candidate may decline. */
  const suiteOf = (wants: OutputName[], more: Parameters<typeof drawCase>[1]): SuiteCase => {
    const { parameters, ...rest } = drawCase(8, more);
    return {
      id: wants.join('+'),
      shows: null,
      build: () => ({ ...rest, parameters: { ...parameters, wants } }),
    };
  };
  const all: OutputName[] = ['out', 'lse', 'd_q', 'd_k', 'd_v'];
  const grouped = { heads: 4, kv_heads: 2 };
  const biased = { heads: 2, kv_heads: 2, bias: [1, 1, 4, 9] };

  it.each<[word: string, one: SuiteCase, dropped: OutputName[], judged: OutputName[]]>([
    ['no-lse', suiteOf(all, grouped), ['lse'], ['out', 'd_q', 'd_k', 'd_v']],
    ['no-lse', suiteOf(['lse'], { gradients: false }), ['lse'], []],
    ['no-gqa-backward', suiteOf(all, grouped), ['d_q', 'd_k', 'd_v'], ['out', 'lse']],
    ['no-gqa-backward', suiteOf(all, { kv_heads: 2 }), [], all],
    ['no-d-bias', suiteOf([...all, 'd_bias'], biased), ['d_bias'], all],
  ])('%s %#: is not asked for, and is counted', async (word, one, dropped, judged) => {
    const candidate = processCandidate({ command: command(word), timeoutMs: 10_000 });
    const started = await candidate.start();
    const options = { started, profile: 'f32', direction: 'both', outDir: null } as const;
    const [result] = await runSuite(candidate, [one], options);
    await candidate.close();
    const none = judged.length === 0;
    expect(result!.verdict.verdict).toBe(none ? 'skip' : 'pass');
    expect(Object.keys(result!.verdict.outputs)).toEqual(judged);
    if (none) expect(result!.verdict.reason).toBe('it returns no lse, by its own word');
    else expect(result!.notReturned ?? []).toEqual(dropped);
    const counted = none ? [] : dropped.map((name) => [name, 1]);
    expect(notReturned([result!])).toEqual(counted);
  });
});

describe('what a candidate cannot do', () => {
  it('is skipped by name, with the words that are missing, and never asked', async () => {
    const results = await run(command('forward-only'));
    expect(verdicts(results)).toEqual(['skip', 'skip', 'skip']);
    expect(reasonOf(results)).toBe('needs backward');
  });

  it('is broken where the missing word is required', async () => {
    const results = await run(command('forward-only'), { required: ['backward'] });
    expect(verdicts(results)).toEqual(['broken', 'broken', 'broken']);
    expect(reasonOf(results)).toBe('does not declare backward, as required');
  });
});
