/**
 * `npm run mutate [-- --per-file N] [-- --only WORD] [-- --seed N]`: break the reference on purpose,
 * one edit at a time, in a copy of the repository, and see whether its tests notice.
 *
 * Prints one JSON line a mutant (killed, or survived and where), then the totals. Mutants are drawn
 * evenly from a seed when there are more than `--per-file`. A test run that hangs counts as killed.
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

const TIMEOUT_MS = 180_000;

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

/** Do these tests pass in the copy? */
function passes(copy: string, tests: readonly string[]): boolean {
  const arguments_ = ['vitest', 'run', '--bail', '1', '--reporter', 'dot', ...tests];
  const options = {
    cwd: copy,
    timeout: TIMEOUT_MS,
    stdio: 'ignore',
    killSignal: 'SIGKILL',
  } as const;
  return spawnSync('npx', arguments_, options).status === 0;
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

interface Tally {
  killed: number;
  survived: number;
}

function mutateFile(copy: string, { source, tests }: Target, mutants: readonly Mutant[]): Tally {
  const path = join(copy, source);
  const text = readFileSync(path, 'utf8');
  const tally: Tally = { killed: 0, survived: 0 };
  for (const mutant of mutants) {
    writeFileSync(path, applied(text, mutant));
    // One file at a time: the quickest test that notices spares the others.
    const survived = tests.every((test) => passes(copy, [test]));
    if (survived) tally.survived++;
    else tally.killed++;
    const { line, what } = mutant;
    console.log(JSON.stringify({ source, line, what, survived }));
  }
  writeFileSync(path, text);
  return tally;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      'per-file': { type: 'string', default: '1000000' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
    },
  });
  const copy = copyOf(process.cwd());
  try {
    for (const target of TARGETS.filter(({ source }) => source.includes(values.only))) {
      const all = mutantsOf(readFileSync(join(copy, target.source), 'utf8'));
      const chosen = drawn(all, Number(values['per-file']), Number(values.seed));
      const tally = mutateFile(copy, target, chosen);
      console.log(JSON.stringify({ source: target.source, mutants: all.length, ...tally }));
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

main();
