/**
 * `npm run mutate [-- --per-file N] [-- --only WORD,WORD] [-- --seed N]`: break the reference on
 * purpose, one edit at a time, in a copy of the repository, and see whether its tests notice.
 *
 * Prints one JSON line a mutant, then the totals of each file. Where a file has more than `--per-file`
 * mutants they are drawn from a seed; files take turns, so that a run that is stopped has an even
 * sample of all of them. `outcome` is `killed` by a failing test (named), `hung` (no end within
 * the time limit, which a test would notice too), or `survived`.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { applied, type Mutant, mutantsOf } from './mutants.ts';
import { TARGETS, type Target } from './targets.ts';

const TIMEOUT_MS = 300_000;
const VITEST = join('node_modules', 'vitest', 'vitest.mjs');

type Outcome = 'killed' | 'hung' | 'survived';

/** A copy of what the tests read, with node_modules linked. */
function copyOf(root: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'xattn-mutate-'));
  const skip = new Set(['node_modules', 'dist', 'out', '.git']);
  cpSync(root, copy, {
    recursive: true,
    filter: (path) => !skip.has(path.slice(root.length + 1).split('/')[0] ?? ''),
  });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** What one test file says of the copy as it is. */
function runTest(copy: string, test: string): Outcome {
  const [file = '', name] = test.split('#');
  const words = [VITEST, 'run', '--bail', '1', '--reporter', 'dot', file];
  if (name !== undefined) words.push('-t', name);
  const options = { cwd: copy, timeout: TIMEOUT_MS, stdio: 'ignore' } as const;
  const { status, error } = spawnSync('node', words, { ...options, killSignal: 'SIGKILL' });
  if (status === 0) return 'survived';
  return error === undefined ? 'killed' : 'hung';
}

/** At most `count` of them, drawn from the seed, in their order. */
function drawn<T>(list: readonly T[], count: number, seed: number): T[] {
  const random = xoroshiro128plus(seed);
  const left = [...list.keys()];
  const chosen: number[] = [];
  while (chosen.length < count && left.length > 0) {
    chosen.push(...left.splice(uniformInt(random, 0, left.length - 1), 1));
  }
  return chosen.sort((a, b) => a - b).flatMap((n) => list.slice(n, n + 1));
}

/** One mutant and what became of it; `by` is the test file that noticed. */
interface Trial {
  readonly source: string;
  readonly line: number;
  readonly what: string;
  readonly outcome: Outcome;
  readonly by: string | null;
}

function trial(copy: string, { source, tests }: Target, mutant: Mutant): Trial {
  const path = join(copy, source);
  const text = readFileSync(path, 'utf8');
  const { line, what } = mutant;
  try {
    writeFileSync(path, applied(text, mutant));
    // One file at a time: the quickest test that notices spares the others.
    for (const by of tests) {
      const outcome = runTest(copy, by);
      if (outcome !== 'survived') return { source, line, what, outcome, by };
    }
    return { source, line, what, outcome: 'survived', by: null };
  } finally {
    writeFileSync(path, text);
  }
}

/** Without any mutant every test must pass, or nothing would be learnt. */
function checkUnbroken(copy: string, targets: readonly Target[]): void {
  for (const test of new Set(targets.flatMap(({ tests }) => tests))) {
    const outcome = runTest(copy, test);
    if (outcome !== 'survived') throw new Error(`${test} fails before anything is broken`);
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      'per-file': { type: 'string', default: '1000000' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
    },
  });
  const only = values.only.split(',');
  const targets = TARGETS.filter(({ source }) => only.some((word) => source.includes(word)));
  const copy = copyOf(process.cwd());
  try {
    checkUnbroken(copy, targets);
    const files = targets.map((target) => {
      const all = mutantsOf(readFileSync(join(copy, target.source), 'utf8'));
      const chosen = drawn(all, Number(values['per-file']), Number(values.seed));
      return { target, all, chosen, trials: [] as Trial[] };
    });
    for (let n = 0; files.some(({ chosen }) => n < chosen.length); n++) {
      for (const { target, chosen, trials } of files) {
        const mutant = chosen[n];
        if (mutant === undefined) continue;
        const result = trial(copy, target, mutant);
        trials.push(result);
        console.log(JSON.stringify(result));
      }
    }
    for (const { target, all, trials } of files) {
      const count = (wanted: Outcome) => trials.filter(({ outcome }) => outcome === wanted).length;
      const [killed, hung, survived] = [count('killed'), count('hung'), count('survived')];
      const total = { mutants: all.length, tried: trials.length, killed, hung, survived };
      console.log(JSON.stringify({ source: target.source, ...total }));
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

main();
