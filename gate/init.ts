/**
 * A first candidate, in a folder: the files, all of which run as they are written, and what to run.
 * @module
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { printedWord, shellQuoted } from './text.ts';

export const LANGUAGES = ['python', 'torch', 'torch-dist', 'jax', 'c', 'rust', 'js', 'ts'] as const;
export type Language = (typeof LANGUAGES)[number];

interface Template {
  /** Files of kit/, and their names in the new folder. */
  readonly files: Readonly<Record<string, string>>;
  /** What to run, of the folder that it is written to. */
  readonly steps: readonly ((folder: string) => string)[];
}

/** The command that judges `program file`; inside its quotes the file is quoted once more. */
const judged = (program: string, file: string) => (folder: string) =>
  `npx xattn gate --candidate ${printedWord(`${program} ${shellQuoted(path.join(folder, file))}`)}`;

const python = (name: string): Template => ({
  files: {
    [`templates/${name}/attention.py`]: 'attention.py',
    [`templates/${name}/candidate.py`]: 'candidate.py',
    [`templates/${name}/test_attention.py`]: 'test_attention.py',
    'python/xattn_kit.py': 'xattn_kit.py',
  },
  steps: [
    judged('python3', 'candidate.py'),
    (folder) => `python3 -m pytest ${shellQuoted(folder)}`,
  ],
});

/** Of a first candidate of several ranks: so many. */
const RANKS = 4;

/** A program of several ranks, started by itself and by torchrun. */
const RING: Template = {
  files: { 'rings/torch_ring.py': 'candidate.py', 'python/xattn_kit.py': 'xattn_kit.py' },
  steps: [
    (folder) => {
      const program = `python3 ${shellQuoted(path.join(folder, 'candidate.py'))} ${RANKS}`;
      return `npx xattn gate --candidate ${printedWord(program)}`;
    },
    (folder) => {
      const file = shellQuoted(path.join(folder, 'candidate.py'));
      const program = `torchrun --nproc_per_node ${RANKS} ${file}`;
      return `npx xattn gate --suite core --candidate ${printedWord(program)}`;
    },
  ],
};

/** From here on Node runs TypeScript as it is. */
const RUNS_TYPESCRIPT: readonly [number, number] = [22, 18];

function runsTypescript(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [from, least] = RUNS_TYPESCRIPT;
  return major > from || (major === from && minor >= least);
}

const RUST: Template = {
  files: {
    'rust/Cargo.toml': 'Cargo.toml',
    'rust/src/main.rs': 'src/main.rs',
    'rust/src/xattn.rs': 'src/xattn.rs',
  },
  steps: [
    (folder) =>
      `cargo build --release --manifest-path ${printedWord(path.join(folder, 'Cargo.toml'))}`,
    (folder) => {
      const program = path.join(folder, 'target/release/candidate');
      return `npx xattn gate --candidate ${printedWord(shellQuoted(program))}`;
    },
  ],
};

function templateOf(language: Language, nodeVersion: string): Template {
  switch (language) {
    case 'python':
    case 'torch':
    case 'jax':
      return python(language);
    case 'torch-dist':
      return RING;
    case 'c':
      return {
        files: { 'c/xattn.h': 'xattn.h', 'c/attention.c': 'attention.c' },
        steps: [
          (folder) => {
            const [program, source] = ['attention', 'attention.c'].map((name) =>
              printedWord(path.join(folder, name)),
            );
            return `cc -O2 -o ${program} ${source} -lm`;
          },
          (folder) => {
            // The shell looks for a name without a slash elsewhere.
            const program = path.join(folder, 'attention').replace(/^attention$/, './$&');
            return `npx xattn gate --candidate ${printedWord(shellQuoted(program))}`;
          },
        ],
      };
    case 'rust':
      return RUST;
    case 'js':
      return {
        files: {
          'javascript/example.mjs': 'candidate.mjs',
          'javascript/xattn-kit.mjs': 'xattn-kit.mjs',
        },
        steps: [judged('node', 'candidate.mjs')],
      };
    case 'ts':
      return {
        files: {
          'templates/ts/candidate.mts': 'candidate.mts',
          'templates/ts/tsconfig.json': 'tsconfig.json',
          'javascript/xattn-kit.mjs': 'xattn-kit.mjs',
          'javascript/xattn-kit.d.mts': 'xattn-kit.d.mts',
        },
        steps: runsTypescript(nodeVersion)
          ? [judged('node', 'candidate.mts')]
          : [
              (folder) => `npx -p typescript tsc -p ${printedWord(folder)}`,
              judged('node', 'candidate.mjs'),
            ],
      };
  }
}

/** kit/ of this package, built or not. */
function kitFile(name: string): string {
  const tried = ['../kit/', '../../kit/'].map((kit) =>
    fileURLToPath(new URL(`${kit}${name}`, import.meta.url)),
  );
  const found = tried.find((file) => existsSync(file));
  if (found === undefined) throw new Error(`the package lacks kit/${name}`);
  return found;
}

/** What was written, and what to run next. */
export interface Initialised {
  readonly written: readonly string[];
  readonly steps: readonly string[];
}

/** Write a first candidate. Throws RangeError where one of its files is there already. */
export function initialise(
  language: Language,
  folder: string,
  nodeVersion: string = process.versions.node,
): Initialised {
  const { files, steps } = templateOf(language, nodeVersion);
  const targets = Object.entries(files).map(([source, name]) => ({
    text: readFileSync(kitFile(source)),
    target: path.join(folder, name),
  }));
  const present = targets.find(({ target }) => existsSync(target));
  if (present !== undefined) {
    throw new RangeError(`"DIR" expected a folder without ${present.target}, got one with it`);
  }
  for (const { text, target } of targets) {
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text, { flag: 'wx' });
  }
  return {
    written: targets.map(({ target }) => target),
    steps: steps.map((step) => step(folder)),
  };
}
