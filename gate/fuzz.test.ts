import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readCase } from '../reference/files/case-folder.ts';
import { isKnown, kindOf } from './fuzz/kind.ts';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'xattn-fuzz-test-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

function xattn(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('node', ['dist/gate/cli.js', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const zoo = (fault: string) => `node dist/properties/zoo/candidate.js --fault ${fault}`;
const fake = (...words: string[]) => `node gate/testing/fake-candidate.mjs ${words.join(' ')}`;

function fuzz(candidate: string, out: string, ...more: string[]) {
  const folder = join(work, out);
  return {
    ...xattn('fuzz', '--candidate', candidate, '--out', folder, '--seed', '1', ...more),
    folder,
  };
}

const findingsIn = (folder: string): string[] =>
  existsSync(join(folder, 'fuzz'))
    ? readdirSync(join(folder, 'fuzz')).map((name) => join(folder, 'fuzz', name))
    : [];

/** What the candidate writes when it is asked the kept question once more, in a folder of its own. */
function answerBits(candidate: string, kept: string): Buffer {
  const folder = mkdtempSync(join(work, 'again-'));
  for (const name of ['case.json', 'inputs.safetensors']) {
    copyFileSync(join(kept, name), join(folder, name));
  }
  spawnSync('sh', ['-c', candidate], { cwd: root, input: `${JSON.stringify({ case: folder })}\n` });
  return readFileSync(join(folder, 'outputs.safetensors'));
}

describe('xattn fuzz', () => {
  it.each([[[]], [['f32']], [['forward']]])(
    'says what a candidate must claim, not %j alone',
    (supports) => {
      const hello = JSON.stringify({ xattn: 1, name: 'x', supports, profile: 'f32' });
      const { status, stderr } = fuzz(`echo '${hello}'; cat >/dev/null`, 'claims', '--runs', '3');
      expect(stderr).toContain(
        '"supports" in its first line must name "forward" or "merge", and one of f64 f32',
      );
      expect(status).toBe(2);
    },
  );

  it('finds a fault and shrinks it to one query, one key, one head', () => {
    const { status, folder } = fuzz(zoo('scale-missing'), 'small', '--runs', '30');
    expect(status).toBe(1);
    const small = findingsIn(folder).map((kept) => {
      const { seq_q, seq_kv, heads } = readCase(kept).parameters;
      return Math.max(seq_q, seq_kv, heads);
    });
    expect(Math.min(...small)).toBe(1);
  });

  it('draws merges for who says so, and shrinks what fails to one row of two parts', () => {
    const merges = (fault: string) => `${zoo(fault)} --only merge`;
    const { status, folder } = fuzz(merges('merge-weights-swapped'), 'merges', '--runs', '40');
    expect(status).toBe(1);
    const [first = ''] = findingsIn(folder);
    const { parameters } = readCase(first);
    expect(parameters).toMatchObject({ op: 'merge', batch: 1, heads: 1, seq_q: 1, head_dim_v: 1 });
    expect(parameters.seq_kv).toBe(2);
    expect(fuzz(merges('none'), 'honest-merges', '--runs', '60').status).toBe(0);
  });

  it('passes honest work, with the same cases for the same seed', () => {
    const [one, two] = [1, 2].map((n) => fuzz(zoo('none'), `none-${n}`, '--runs', '30'));
    expect(one!.stdout).toMatch(/30 cases judged, 0 findings/);
    expect([one!.status, two!.status]).toEqual([0, 0]);
    const kept = (folder: string) => readdirSync(join(folder, 'fuzz-interesting'));
    expect(kept(one!.folder).length).toBeGreaterThan(0);
    expect(kept(one!.folder)).toEqual(kept(two!.folder));
  });

  it('leaves a counterexample whose replay fails again, bit for bit', () => {
    const { folder } = fuzz(zoo('scale-inverted'), 'replayed', '--runs', '20');
    const [kept = ''] = findingsIn(folder);
    const bits = readFileSync(join(kept, 'outputs.safetensors'));
    expect(answerBits(zoo('scale-inverted'), kept).equals(bits)).toBe(true);
    const { reason } = JSON.parse(readFileSync(join(kept, 'fuzz.json'), 'utf8'));
    const replay = () => xattn('replay', kept, '--candidate', zoo('scale-inverted'));
    const [first, second] = [replay(), replay()];
    expect(first.status).toBe(1);
    expect(first.stdout).toContain(reason);
    expect(second.stdout).toBe(first.stdout);
    expect(readFileSync(join(kept, 'outputs.safetensors'))).toEqual(bits);
  });

  it('holds laws against larger cases, and hands over the answer that the judge refuses', () => {
    // Drops keys past the 32nd, which no small case has.
    const { status, stdout, folder } = fuzz(zoo('tail-dropped-32'), 'laws', '--runs', '400');
    expect(status).toBe(1);
    expect(stdout).toContain('found by a law on a larger case');
    const [kept = ''] = findingsIn(folder);
    expect(readCase(kept).parameters.seq_kv).toBeGreaterThan(32);
    const { law, flaky } = JSON.parse(readFileSync(join(kept, 'fuzz.json'), 'utf8'));
    expect([typeof law, flaky]).toEqual(['string', false]);
    expect(xattn('replay', kept, '--candidate', zoo('tail-dropped-32')).status).toBe(1);
  });

  it('finds no honest answer against a law', () => {
    const { status, stdout } = fuzz(zoo('none'), 'lawful', '--runs', '301');
    expect(stdout).toMatch(/laws held against larger cases: [1-9]\d*, [1-9]\d* equations/);
    expect(status).toBe(0);
  });

  it('goes on from its corpus, asks it first, and bears garbage in it', () => {
    const { folder } = fuzz(zoo('scale-inverted'), 'resumed', '--runs', '20');
    const before = findingsIn(folder).length;
    mkdirSync(join(folder, 'fuzz', 'garbage'));
    writeFileSync(join(folder, 'fuzz', 'garbage', 'case.json'), '{"schema": 1e999}');
    writeFileSync(join(folder, 'fuzz', 'note.txt'), 'not a folder');
    const again = fuzz(zoo('scale-inverted'), 'resumed', '--runs', '20');
    expect(again.status).toBe(1);
    expect(again.stdout).toContain('2 entries');
    expect(again.stdout).toContain('still impossible');
    expect(findingsIn(folder).length).toBe(before + 2);
    const repaired = fuzz(zoo('none'), 'resumed', '--runs', '20');
    expect(repaired.status).toBe(0);
    expect(repaired.stdout).toMatch(/[1-9]\d* findings no longer fail/);
  });

  it('names a flaky candidate, and does not shrink it', () => {
    const { status, stdout } = fuzz(fake('flaky'), 'flaky', '--runs', '30');
    expect(status).toBe(1);
    expect(stdout).toContain('flaky');
    expect(stdout).toContain(', 0 attempts to shrink');
  });

  it.each(['stale-buffer', 'cache-by-shape'])(
    '%s: keeps what must be asked before, as short as it can, and replays it',
    (fault) => {
      const { status, stdout, folder } = fuzz(fake(fault), fault, '--runs', '120');
      expect(status).toBe(1);
      expect(stdout).toContain('fails only after earlier questions');
      expect(stdout).not.toContain('flaky');
      const after = findingsIn(folder).filter((kept) => existsSync(join(kept, 'before')));
      expect(after.length).toBeGreaterThan(0);
      for (const kept of after) {
        expect(readdirSync(join(kept, 'before'))).toEqual(['001']);
        const replay = () => xattn('replay', kept, '--candidate', fake(fault));
        expect(replay().status).toBe(1);
        rmSync(join(kept, 'before'), { recursive: true });
        expect(replay().status).toBe(0);
      }
    },
  );

  it('asks a finding of its corpus after those that it needs', () => {
    const { folder } = fuzz(fake('cache-by-shape'), 'after', '--runs', '120');
    expect(findingsIn(folder).length).toBeGreaterThan(0);
    const again = fuzz(fake('cache-by-shape'), 'after', '--runs', '1');
    expect(again.stdout).toContain('still impossible');
    expect(again.status).toBe(1);
    const repaired = fuzz(fake('none'), 'after', '--runs', '1');
    expect(repaired.stdout).toMatch(/[1-9]\d* findings no longer fail/);
    expect(repaired.status).toBe(0);
  });

  it('keeps a fault that fails alone apart from what it remembers', () => {
    // With a softcap dQ is wrong, and a buffer of it is stale: shrinking can go from one to the other.
    const { stdout, folder } = fuzz(fake('stale-and-wrong'), 'both', '--runs', '120');
    expect(stdout).toMatch(/fails only after earlier questions|passes when a new process is asked/);
    const alone = findingsIn(folder).filter((kept) => !existsSync(join(kept, 'before')));
    expect(alone.length).toBeGreaterThan(0);
    for (const kept of alone) {
      expect(xattn('replay', kept, '--candidate', fake('stale-and-wrong')).status).toBe(1);
    }
  });

  it('calls no candidate flaky for the sign of a NaN, which no engine keeps', () => {
    const { status, folder } = fuzz(fake('nan-signs'), 'nan-signs', '--runs', '1');
    expect(status).toBe(1);
    const { flaky, shrinkSeconds } = JSON.parse(
      readFileSync(join(findingsIn(folder)[0]!, 'fuzz.json'), 'utf8'),
    );
    expect(flaky).toBe(false);
    expect(shrinkSeconds).toBeGreaterThan(0);
  });

  it('says of right but varying answers that they are not deterministic', () => {
    const { status, stdout } = fuzz(fake('unsteady'), 'unsteady', '--runs', '10');
    expect(status).toBe(0);
    expect(stdout).toContain('not deterministic');
  });

  it('shrinks a crash', () => {
    const { status, stdout, folder } = fuzz(fake('die'), 'die', '--runs', '1');
    expect(status).toBe(3);
    expect(stdout).toContain('exited with status #');
    const { seq_q, heads } = readCase(findingsIn(folder)[0]!).parameters;
    expect([seq_q, heads]).toEqual([1, 1]);
  });

  it('shrinks a hang with less patience, and ends', () => {
    const words = ['--runs', '5', '--max-seconds', '8', '--timeout-s', '2'];
    const { status, stdout } = fuzz(fake('hang'), 'hang', ...words);
    expect(status).toBe(3);
    expect(stdout).toContain('did not answer within');
  });

  it('draws each shard’s own cases', () => {
    const kept = ['1/2', '2/2'].map((shard) => {
      const { folder } = fuzz(zoo('none'), `shard-${shard[0]}`, '--runs', '15', '--shard', shard);
      return readdirSync(join(folder, 'fuzz-interesting'));
    });
    expect(kept[0]!.some((name) => kept[1]!.includes(name))).toBe(false);
  });

  it('refuses a command it does not understand, and a candidate that is not there', () => {
    expect(xattn('fuzz', '--runs', '0').status).toBe(2);
    expect(xattn('fuzz', '--shard', '3/2').status).toBe(2);
    expect(fuzz('exit 4', 'gone', '--runs', '5').status).toBe(3);
  });
});

describe('kinds of failure', () => {
  const report = (expected: number, got: number) => ({
    max_ulp: 1,
    max_bound_fraction: 2,
    worst_index: [0],
    expected,
    got,
  });
  const verdict = (outputs: object) =>
    kindOf({ verdict: 'impossible', reason: '', outputs } as Parameters<typeof kindOf>[0]);

  it('name the output that the others follow from', () => {
    expect(verdict({ d_q: report(1, 2), out: report(1, Number.NaN) })).toBe('out NaN');
    expect(verdict({ d_q: report(1, Number.POSITIVE_INFINITY) })).toBe('d_q infinite');
    expect(verdict({ lse: report(Number.NEGATIVE_INFINITY, 0) })).toBe('lse finite');
    expect(kindOf({ verdict: 'pass', reason: '', outputs: {} })).toBe(null);
    const broken = { verdict: 'broken', outputs: {} } as const;
    expect(kindOf({ ...broken, reason: 'it did not answer within 2.5 s' })).toBe(
      kindOf({ ...broken, reason: 'it did not answer within 60 s' }),
    );
    expect(kindOf({ ...broken, reason: 'shape (1, 1, 0) of 0 elements' })).toBe(
      kindOf({ ...broken, reason: 'shape (2,3) of 6 elements' }),
    );
  });

  it('are known when a smaller case of the kind needs nothing that this one lacks', () => {
    const known = [{ kind: 'out wrong', words: ['mask'] }];
    expect(isKnown(known, 'out wrong', ['mask', 'bias'])).toBe(true);
    expect(isKnown(known, 'out wrong', ['bias'])).toBe(false);
    expect(isKnown(known, 'out NaN', ['mask'])).toBe(false);
  });
});
