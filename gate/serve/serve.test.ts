/** The judge as a server, as a user's test suite drives it: over pipes, with good and bad requests. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { referenceOutputs } from '../../reference/definition/reference.ts';
import { writeCase, writeOutputs } from '../../reference/files/case-folder.ts';
import { tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import { judgingPool } from './pool.ts';
import { parsedLine } from './request.ts';
import { serve } from './server.ts';

const CLI = fileURLToPath(new URL('../../dist/gate/cli.js', import.meta.url));
let root = '';
const place = (name: string): string => path.join(root, name);

const question = drawCase(3, { id: 't/served', seq_q: 8, seq_kv: 20, sink: true });
const right = referenceOutputs(question);
const wrong = tensorOf<number>(toFlat(right.out!), right.out!.shape);
wrong.set(0, 1, 6, 0, wrong.get(0, 1, 6, 0) + 0.25);

/** 2^25 elements of outputs from 2^14 of inputs. */
const LARGE = {
  ...{ heads: 4096, kv_heads: 1, head_dim: 1, head_dim_v: 2 ** 13, seq_q: 1, seq_kv: 1 },
  wants: ['out' as const],
};
/** Seconds of work. */
const SLOW = { heads: 8, kv_heads: 8, seq_q: 64, seq_kv: 256, head_dim: 64, head_dim_v: 64 };

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'xattn-serve-'));
  writeCase(place('right'), question);
  writeOutputs(place('right'), right, 'F32');
  writeCase(place('wrong'), question);
  writeOutputs(place('wrong'), { ...right, out: wrong }, 'F32');
  writeCase(place('unanswered'), question);
  mkdirSync(place('empty'));
  mkdirSync(place('spoilt'));
  writeFileSync(place('spoilt/case.json'), '{"schema": 1');
  writeCase(place('large'), drawCase(1, LARGE));
  const slow = drawCase(5, SLOW);
  writeCase(place('slow'), slow);
  const { q, k, v, d_lse: lse } = slow.inputs;
  writeOutputs(place('slow'), { out: q!, lse: lse!, d_q: q!, d_k: k!, d_v: v! }, 'F32');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Json = Record<string, unknown>;

interface Ended {
  status: number | null;
  signal: string | null;
  answers: Json[];
  stderr: string;
}

function started(...options: string[]): ChildProcess {
  return spawn(process.execPath, [CLI, 'judge', '--serve', ...options], { cwd: root });
}

/** What a server says to `input` until it ends. */
function answersTo(input: string | Buffer, ...options: string[]): Promise<Ended> {
  const child = started(...options);
  const ending = ended(child);
  child.stdin!.end(input);
  return ending;
}

function ended(child: ChildProcess): Promise<Ended> {
  const answers: Json[] = [];
  let stderr = '';
  createInterface({ input: child.stdout! }).on('line', (line) => answers.push(JSON.parse(line)));
  child.stderr!.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin!.on('error', () => {});
  return new Promise((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, answers, stderr }));
  });
}

const line = (request: Json): string => `${JSON.stringify(request)}\n`;

const NAMES = ['right', 'wrong', 'unanswered'];
const deep = `{"id":1,"case":${'['.repeat(1e5)}${']'.repeat(1e5)}}`;

/** What makes no sense, what is said of it, and the id that comes back. */
const BAD: [string, RegExp, unknown?][] = [
  ['nonsense', /^the line expected JSON/],
  ['[1]', /^the line expected a JSON object$/],
  ['"text"', /^the line expected a JSON object$/],
  [deep, /^the line expected JSON at most 64 deep/],
  ['{"id":1,"id":2}', /expected each name once/],
  ['{"id":1e999}', /expected a finite number/],
  ['{"id":3,"profile":"f32"}', /^"case" expected the path of a case folder, got nothing/, 3],
  ['{"id":4,"case":"right"}', /^"profile" expected one of f64 .*got nothing/, 4],
  ['{"id":5,"case":"right","profile":"fp32"}', /^"profile" expected .*got "fp32"/, 5],
  ['{"id":6,"case":"right","profile":"f32","row":1}', /^"row" expected no field/, 6],
  ['{"id":7,"case":"right","profile":"f32","rows":-1}', /^"rows" expected how many/, 7],
  ['{"id":8,"case":"right","profile":"f32","rows":[8]}', /positions in 0..7, got 8/, 8],
  ['{"id":9,"case":"nowhere","profile":"f32"}', /expected a case folder, got nowhere/, 9],
  ['{"id":10,"case":"empty","profile":"f32"}', /"case.json" expected a file/, 10],
  ['{"id":11,"case":"spoilt","profile":"f32"}', /"case.json" expected JSON/, 11],
  ['{"id":12,"case":"a\\u0000b","profile":"f32"}', /expected a path without NUL/, 12],
  ['{"id":13,"case":"right","profile":"f32","__proto__":1}', /expected no field/, 13],
  ['{"id":14,"case":"right","profile":"f32","rows":0,"keys":0}', /expected an? (out|el)/, 14],
  [`{"id":15,"case":"${'x'.repeat(3000)}","profile":"f32"}`, /name is too long/, 15],
  [`{"id":16,"case":"${'x'.repeat(5000)}","profile":"f32"}`, /at most 4096 characters/, 16],
  ['{"id":17,"case":"large","profile":"f32"}', /at most 16777216 elements .* got 33554432/, 17],
  [`{"id":"${'x'.repeat(1 << 20)}"}`, /^the line expected at most 1048576 bytes, got more/],
];
const MANY = 1500;

/** Every request of the tests below, of one server. */
const REQUESTS = [
  ...NAMES.map((name) => line({ id: { of: [name] }, case: name, profile: 'f32' })),
  line({ id: 'miss', case: 'wrong', profile: 'f32', rows: [0, 5], keys: 3 }),
  line({ id: 'hit', case: 'wrong', profile: { base: 'f32' }, rows: [6], keys: [] }),
  ...BAD.map(([text]) => `${text}\n\n`),
  ...Array.from({ length: MANY }, (_, n) =>
    line({ id: `many-${n}`, case: n % 50 === 0 ? 'right' : 'nowhere', profile: 'f32' }),
  ),
  // Without a line feed at its end.
  line({ id: 'last', case: 'right', profile: 'f32' }).trimEnd(),
];

describe('judge --serve', () => {
  let session: Ended;
  const answerOf = (id: unknown): Json | undefined =>
    session.answers.find((answer) => JSON.stringify(answer.id) === JSON.stringify(id));
  beforeAll(async () => {
    session = await answersTo(REQUESTS.join(''), '--workers', '2');
  });

  it('ends when its input does, all of it answered, once each', () => {
    expect([session.status, session.stderr]).toEqual([0, '']);
    expect(session.answers.length).toBe(REQUESTS.length);
    expect(answerOf('last')).toMatchObject({ verdict: 'pass' });
    const many = session.answers.filter(({ id }) => String(id).startsWith('many-'));
    expect(new Set(many.map(({ id }) => id)).size).toBe(MANY);
    expect(many.filter(({ verdict }) => verdict === 'pass').length).toBe(MANY / 50);
  });

  it('answers with the verdict that judge gives of the same folders', async () => {
    const args = [CLI, 'judge', ...NAMES, '--report', 'report.json'];
    const status = await new Promise((resolve) => {
      execFile(process.execPath, args, { cwd: root }, (error) => resolve(error?.code ?? 0));
    });
    expect(status).toBe(1);
    const { cases, summary } = JSON.parse(readFileSync(place('report.json'), 'utf8'));
    expect(summary).toMatchObject({ pass: 1, fail: 1, broken: 1, skip: 0 });
    for (const [n, name] of NAMES.entries()) {
      const { verdict, reason, outputs, replay } = cases[n];
      expect(answerOf({ of: [name] })).toMatchObject({ verdict, reason, outputs, replay });
      expect(answerOf({ of: [name] })?.diagnosis).toBe(null);
    }
    expect(answerOf({ of: ['right'] })).toMatchObject({ verdict: 'pass', replay: null });
    expect(answerOf({ of: ['wrong'] })).toMatchObject({
      verdict: 'impossible',
      reason: expect.stringMatching(/^out\[0, 1, 6, 0\]: expected/),
      replay: 'xattn judge wrong --profile f32',
    });
    expect(answerOf({ of: ['unanswered'] })).toMatchObject({ verdict: 'broken' });
  });

  it('judges samples, by number and by position', () => {
    expect(answerOf('miss')).toMatchObject({
      verdict: 'pass',
      sample: { rows: { judged: 2, of: 8 }, keys: { judged: 3, of: 20 } },
    });
    expect(answerOf('hit')).toMatchObject({
      verdict: 'impossible',
      replay: 'xattn judge wrong --profile f32 --rows 6, --keys 0',
    });
  });

  it.each(BAD.map(([text, reason, id]) => [text.slice(0, 60), reason, id] as const))(
    'answers %s with a sentence',
    (_, reason, id = null) => {
      const errors = session.answers.filter((one) => one.id === id && one.error !== undefined);
      expect(errors.some(({ error }) => reason.test(String(error)))).toBe(true);
      for (const { error } of errors) expect(error).not.toMatch(/internal error/);
    },
  );

  it('stops reading while nobody reads its answers', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const serving = serve({ input, output }, 1);
    let [written, blocked] = [0, false];
    while (!blocked && written < 2e5) {
      blocked = !input.write(line({ id: 'x'.repeat(200), nothing: written++ }));
      if (blocked)
        blocked = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(true), 500);
          input.once('drain', () => {
            clearTimeout(timer);
            resolve(false);
          });
        });
    }
    expect(blocked).toBe(true);
    expect(written).toBeLessThan(5000);
    input.end();
    let lines = 0;
    for await (const _ of createInterface({ input: output })) {
      if (++lines === written) break;
    }
    await serving;
    expect(lines).toBe(written);
  });

  it('ends at once by a signal, also while it judges', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const child = started();
      const ending = ended(child);
      child.stdin!.write(line({ case: 'nowhere', profile: 'f32' }));
      child.stdin!.write(line({ case: 'slow', profile: 'f32' }));
      await new Promise((resolve) => child.stdout!.once('data', resolve));
      child.kill(signal);
      const { signal: by, answers } = await ending;
      expect([by, answers]).toEqual([signal, [{ id: null, error: expect.any(String) }]]);
    }
  });

  it('ends when nobody is there to read, without a complaint', async () => {
    const child = started();
    const ending = ended(child);
    child.stdout!.destroy();
    child.stdin!.write(line({ case: 'right', profile: 'f32' }));
    const { status, stderr } = await ending;
    expect([status, stderr]).toEqual([0, '']);
  });

  it('takes no folders and no options of theirs beside --serve', async () => {
    for (const [args, reason] of [
      [['--serve', 'right'], '"--serve" expected folders as lines, got right as an argument'],
      [['--serve', '--rows', '3'], "option '--serve' cannot be used with option '--rows"],
      [['right', '--workers', '2'], '"--workers" expected "--serve" beside it'],
      [[], '"CASE_DIR" expected a case folder, or "--serve", got none'],
    ] as const) {
      const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
        execFile(process.execPath, [CLI, 'judge', ...args], { cwd: root }, (error, _, stderr) =>
          resolve({ code: error?.code, stderr }),
        );
      });
      expect(stderr).toContain(reason);
      expect(code).toBe(2);
    }
  });
});

describe('a thread that dies', () => {
  const FATAL = `
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ case: name }) => {
      if (name === 'throws') setTimeout(() => { throw new Error('no more'); });
      else if (name === 'exits') process.exit(7);
      else if (name === 'grows') for (const all = [];;) all.push(new Array(1e6).fill({}));
      else parentPort.postMessage({ reason: name });
    });`;

  it('answers its request, and is replaced', async () => {
    writeFileSync(place('fatal.mjs'), FATAL);
    const resourceLimits = { maxOldGenerationSizeMb: 32 };
    const pool = judgingPool(1, () => new Worker(place('fatal.mjs'), { resourceLimits }));
    const asked = ['first', 'throws', 'second', 'exits', 'third', 'grows', 'fourth'];
    const answers = await Promise.all(
      asked.map((name) => pool.judge({ case: name, profile: 'f32' })),
    );
    pool.end();
    expect(answers).toEqual([
      { reason: 'first' },
      { error: "the judge's thread died: no more" },
      { reason: 'second' },
      { error: "the judge's thread ended with status 7" },
      { reason: 'third' },
      { error: expect.stringMatching(/^the judge ran out of memory on this case; "rows"/) },
      { reason: 'fourth' },
    ]);
  });
});

describe('a line', () => {
  it('is a request, or nothing where it is blank', () => {
    expect(parsedLine({ text: ' \r', truncated: false })).toBe(null);
    expect(
      parsedLine({ text: '{"case":"x","profile":"f16+sigmoid-merge"}', truncated: false }),
    ).toEqual({
      id: null,
      request: { case: 'x', profile: 'f16+sigmoid-merge' },
    });
  });
});
