/**
 * Spin, run on the text of a model: every interleaving, or the one that a log fixes.
 * @module
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
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

async function inFolder<T>(model: string, body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'xattn-spin-'));
  try {
    await copyFile(LANES, join(folder, 'lanes.pml'));
    await writeFile(join(folder, 'model.pml'), model);
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Standard output of a command; a search that finds an error ends with a status of its own. */
function run(folder: string, command: string, args: readonly string[], mayFail = false) {
  return new Promise<string>((resolve, reject) => {
    const options = { cwd: folder, encoding: 'utf8' as const, maxBuffer: OUTPUT_BYTES_MAX };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null || (mayFail && typeof error.code === 'number')) resolve(stdout);
      else reject(new Error(`${command}: ${error.message} ${stdout.slice(0, 2000)} ${stderr}`));
    });
  });
}

/** The printed lines of a simulation: the order of the steps and how it ended. */
function readSimulation(text: string): Finding {
  const order = [...text.matchAll(/^ *step (\d+)$/gm)].map((match) => Number(match[1]));
  const violated = /violated: (\w+)/.exec(text)?.[1];
  const outcome = violated ?? (/^ *accepted$/m.test(text) ? 'sound' : 'deadlock');
  return { outcome, order, states: 0 };
}

/** Limits of a search, the same on every machine: steps in a row, and mebibytes for the states. */
const DEPTH_MAX = 50_000;
const MEMORY_MAX = 4096;

/** Without partial order reduction what is visited is every interleaving, literally. */
const EVERY_INTERLEAVING = '-DNOREDUCE';
const COMPILE = ['-w', '-DSAFETY', '-DCOLLAPSE', '-DVECTORSZ=16384', `-DMEMLIM=${MEMORY_MAX}`];

export interface SearchOptions {
  /** Ranks may wait for ever (after a loss or a death). */
  readonly waiting?: boolean;
  /**
   * Spin leaves out interleavings that differ from a visited one by the order of steps that do not
   * touch one another. For models that say who uses which channel (`reduced` of promelaModel).
   */
  readonly reduced?: boolean;
}

/**
 * Checks every interleaving, or one of each kind. Throws when Spin did not finish its search: an
 * unfinished search proves nothing.
 */
export function verify(model: string, options: SearchOptions = {}): Promise<Finding> {
  return inFolder(model, async (folder) => {
    await run(folder, 'spin', ['-a', 'model.pml']);
    // Compiling costs more than searching, but for the largest searches.
    const optimise = /#define RANKS [67]/.test(model) && !options.reduced ? '-O1' : '-O0';
    const all = options.reduced ? [] : [EVERY_INTERLEAVING];
    await run(folder, 'gcc', [optimise, ...COMPILE, ...all, '-o', 'pan', 'pan.c']);
    const args = ['-n', `-m${DEPTH_MAX}`, ...(options.waiting ? ['-E'] : [])];
    const text = await run(folder, './pan', args, true);
    const errors = /errors: (\d+)/.exec(text)?.[1];
    const states = Number(/([\d.e+]+) states, stored/.exec(text)?.[1] ?? 0);
    if (errors === undefined || /max search depth too small|out of memory|MEMLIM/.test(text)) {
      throw new Error(`Spin did not finish: ${text.slice(0, 500)}`);
    }
    if (errors === '0') {
      if (/Search not completed/.test(text)) throw new Error(`Spin did not finish: ${text}`);
      return { outcome: 'sound', order: [], states };
    }
    const trail = readSimulation(await run(folder, 'spin', ['-t', 'model.pml'], true));
    return { ...trail, outcome: trail.outcome === 'sound' ? 'deadlock' : trail.outcome, states };
  });
}

/** Follows the one order that the model fixes (`order` of promelaModel), or any. */
export function simulate(model: string): Promise<Finding> {
  return inFolder(model, async (folder) =>
    readSimulation(await run(folder, 'spin', ['-n1', 'model.pml'], true)),
  );
}
