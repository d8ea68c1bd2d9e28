/**
 * The reference rings as they are launched, right and broken on purpose, put to the gate.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const python = process.env.XATTN_PYTHON ?? 'python3';
const jaxPython = process.env.XATTN_JAX_PYTHON ?? python;
const required = process.env.XATTN_REQUIRE_TOOLS === '1';

const runs = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;
const imports = (program: string, names: string): boolean =>
  required || runs(program, '-c', `import ${names}`);

export const RANKS = 4;

export interface Ring {
  readonly file: string;
  /** What it needs is here. */
  readonly here: boolean;
  readonly command: (file: string) => string;
  /** Its text with a fault planted in it. */
  readonly faults: Readonly<Record<RingFault, readonly [from: string, to: string]>>;
}

export const RING_FAULTS = [
  'dq-doubled-on-rank-3',
  'shards-swapped',
  'merge-of-round-2',
  'phantom-key',
] as const;
export type RingFault = (typeof RING_FAULTS)[number];

const swapped =
  'outputs["d_v"] = world.sendrecv(outputs["d_v"], ring.rank ^ 1, source=ring.rank ^ 1)';

/** What the two rings of processes have alike. */
const PROCESS_FAULTS = {
  'dq-doubled-on-rank-3': [
    'grads.update(d_q=dq,',
    'grads.update(d_q=dq * (2 if self.rank == 3 else 1),',
  ],
  'merge-of-round-2': [
    '            out, lse = merge(out, lse, *attend(*self.scores(q, home, text, k, v)))',
    '            a, b = attend(*self.scores(q, home, text, k, v))\n' +
      '            out, lse = (out, lse) if round == 2 and self.rank == 1 else merge(out, lse, a, b)',
  ],
} as const;

export const RINGS: Readonly<Record<'torch' | 'mpi' | 'jax', Ring>> = {
  torch: {
    file: 'torch_ring.py',
    here: imports(python, 'torch'),
    command: (file) => `${python} ${file} ${RANKS}`,
    faults: {
      ...PROCESS_FAULTS,
      'shards-swapped': [
        '    return outputs\n',
        '    if "d_v" in outputs:\n' +
          '        everyone = [None] * ring.ranks\n' +
          '        dist.all_gather_object(everyone, outputs["d_v"])\n' +
          '        outputs["d_v"] = everyone[ring.rank ^ 1]\n' +
          '    return outputs\n',
      ],
      'phantom-key': [
        'l = p.sum(3, keepdim=True)',
        'l = p.sum(3, keepdim=True) + (s.shape[3] == 1) * (-m).exp()',
      ],
    },
  },
  mpi: {
    file: 'mpi_ring.py',
    here: imports(python, 'mpi4py, numpy') && (required || runs('mpirun', '--version')),
    command: (file) => `mpirun --oversubscribe -n ${RANKS} ${python} ${file}`,
    faults: {
      ...PROCESS_FAULTS,
      'shards-swapped': [
        '    return outputs\n',
        `    if "d_v" in outputs:\n        ${swapped}\n    return outputs\n`,
      ],
      'phantom-key': [
        'l = p.sum(3, keepdims=True, dtype=T)',
        'l = p.sum(3, keepdims=True, dtype=T) + (s.shape[3] == 1) * np.exp(-m)',
      ],
    },
  },
  jax: {
    file: 'jax_ring.py',
    here: imports(jaxPython, 'jax'),
    command: (file) => `${jaxPython} ${file} ${RANKS}`,
    faults: {
      'dq-doubled-on-rank-3': [
        'grads.update(d_q=block[4],',
        'grads.update(d_q=block[4] * jnp.where(rank == 3, 2.0, 1.0),',
      ],
      'shards-swapped': [
        '    return grads\n',
        '    grads["d_v"] = lax.ppermute(grads["d_v"], "ring", [(r, r ^ 1) for r in range(RANKS)])\n' +
          '    return grads\n',
      ],
      'merge-of-round-2': [
        '        return turn((q, *merge(out, lse, *attend(s, expand(v, q), kappa))))',
        '        a, b = merge(out, lse, *attend(s, expand(v, q), kappa))\n' +
          '        wrong = (number == 2) & (rank == 1)\n' +
          '        return turn((q, jnp.where(wrong, out, a), jnp.where(wrong, lse, b)))',
      ],
      // What an uneven block is filled up with is taken for keys.
      'phantom-key': [
        'wide = np.zeros(shape, x.dtype)',
        'wide = np.full(shape, x.dtype == bool, x.dtype)',
      ],
    },
  },
};

/** What the gate is to say of each: of which case of `core`, and how. */
export const TOLD: Readonly<Record<RingFault, readonly [name: string, reason: RegExp]>> = {
  'dq-doubled-on-rank-3': [
    'core/ranks/4-even-gradients',
    /^d_q\[.*; of 4 ranks only rank 3 is wrong: d_q at (all )?its quer(y|ies) [\d to]+$/,
  ],
  'shards-swapped': [
    'core/ranks/4-even-gradients',
    /^d_v\[.* ranks are wrong: rank 0 in d_v at all its keys 0 to \d+, which are rank 1's; rank 1 in d_v at all its keys [\d to]+, which are rank 0's; …$/,
  ],
  // What rank 1 holds in round 2 are the queries of rank 3.
  'merge-of-round-2': [
    'core/ranks/4-even',
    /; of 4 ranks only rank 3 is wrong: out and lse at (all )?its quer(y|ies) [\d to]+$/,
  ],
  'phantom-key': ['core/ranks/4-uneven', /; all 4 ranks are wrong: rank 0 in .*out.* at /],
};

export interface RingReport {
  readonly status: number | null;
  readonly stdout: string;
  readonly summary: { readonly pass: number; readonly fail: number; readonly broken: number };
  readonly cases: readonly {
    readonly id: string;
    readonly verdict: string;
    readonly reason: string;
    readonly log?: readonly string[];
    readonly ranks?: { readonly ran: number };
    readonly wrong_ranks?: readonly { readonly rank: number }[];
  }[];
}

/** MPI's own conditions: tests may run as root, and in a container. */
const ENVIRONMENT = {
  ...{ OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
  OMPI_MCA_btl_vader_single_copy_mechanism: 'none',
};

/** The gate's report on a ring, broken by a fault where one is named. */
export function judged(ring: Ring, options: readonly string[], fault?: RingFault): RingReport {
  const text = readFileSync(join(root, 'kit/rings', ring.file), 'utf8');
  const [from, to] = fault === undefined ? ['', ''] : ring.faults[fault];
  if (!text.includes(from)) throw new Error(`${ring.file} lacks what ${fault} is planted in`);
  return judgedText(
    ring,
    text.replace(from, () => to),
    options,
  );
}

/** The same of any text of a ring. */
export function judgedText(
  { file, command }: Ring,
  text: string,
  options: readonly string[],
): RingReport {
  const scratch = mkdtempSync(join(tmpdir(), 'xattn-rings-'));
  try {
    // As `xattn init` lays it out: the kit beside it.
    copyFileSync(join(root, 'kit/python/xattn_kit.py'), join(scratch, 'xattn_kit.py'));
    const ring = join(scratch, file);
    writeFileSync(ring, text);
    const report = join(scratch, 'report.json');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...[join(root, 'dist/gate/cli.js'), 'gate', '--candidate', command(ring)],
        ...['--report', report, '--out', join(scratch, 'out'), '--seed', '1', ...options],
      ],
      { encoding: 'utf8', env: { ...process.env, ...ENVIRONMENT } },
    );
    if (status === 2) throw new Error(stderr);
    return { status, stdout, ...JSON.parse(readFileSync(report, 'utf8')) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
