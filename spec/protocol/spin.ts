/**
 * Spin, run on the text of a model: every interleaving, or the one that a log fixes.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What Spin found. */
export interface Finding {
  /** `sound`, `deadlock`, or the name of the check of lanes.pml that does not hold. */
  readonly outcome: string;
  /** Ranks in the order of their steps, up to the violation; empty when sound. */
  readonly order: readonly number[];
  /** States that were visited; 0 for one fixed order. */
  readonly states: number;
}

const LANES = join(import.meta.dirname, 'lanes.pml');
const OUTPUT_BYTES_MAX = 1 << 28;

function inFolder<T>(model: string, body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'xattn-spin-'));
  try {
    copyFileSync(LANES, join(folder, 'lanes.pml'));
    writeFileSync(join(folder, 'model.pml'), model);
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(folder: string, command: string, args: readonly string[]): string {
  const { stdout, error } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (error !== undefined) throw error;
  return stdout;
}

/** The printed lines of a simulation: the order of the steps and how it ended. */
function readSimulation(text: string): Finding {
  const order = [...text.matchAll(/^ *step (\d+)$/gm)].map((match) => Number(match[1]));
  const violated = /violated: (\w+)/.exec(text)?.[1];
  const outcome = violated ?? (/^ *accepted$/m.test(text) ? 'sound' : 'deadlock');
  return { outcome, order, states: 0 };
}

/**
 * Checks every interleaving. `waiting` allows ranks to wait for ever (after a loss or a death).
 * Throws when Spin did not finish its search: an unfinished search proves nothing.
 */
export function verify(model: string, options: { readonly waiting?: boolean } = {}): Finding {
  return inFolder(model, (folder) => {
    execFileSync('spin', ['-a', 'model.pml'], { cwd: folder, stdio: 'pipe' });
    const compile = [
      '-O2',
      '-w',
      '-DSAFETY',
      '-DCOLLAPSE',
      '-DVECTORSZ=4096',
      '-o',
      'pan',
      'pan.c',
    ];
    execFileSync('gcc', compile, { cwd: folder, stdio: 'pipe' });
    const text = run(folder, './pan', ['-n', '-m100000', ...(options.waiting ? ['-E'] : [])]);
    const errors = /errors: (\d+)/.exec(text)?.[1];
    const states = Number(/([\d.e+]+) states, stored/.exec(text)?.[1] ?? 0);
    if (errors === undefined || /max search depth too small|out of memory/.test(text)) {
      throw new Error(`Spin did not finish: ${text.slice(0, 500)}`);
    }
    if (errors === '0') {
      if (/Search not completed/.test(text)) throw new Error(`Spin did not finish: ${text}`);
      return { outcome: 'sound', order: [], states };
    }
    const trail = readSimulation(run(folder, 'spin', ['-t', 'model.pml']));
    return { ...trail, outcome: trail.outcome === 'sound' ? 'deadlock' : trail.outcome, states };
  });
}

/** Follows the one order that the model fixes (`order` of promelaModel). */
export function simulate(model: string): Finding {
  return inFolder(model, (folder) => readSimulation(run(folder, 'spin', ['-n1', 'model.pml'])));
}
