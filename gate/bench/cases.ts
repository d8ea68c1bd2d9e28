/**
 * The cases that the oracle and the judge are measured on, and NumPy on the same in a process of its own.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { AttentionCase, Dtype, OutputName } from '../../reference/case/case.ts';
import { sharedArray } from '../../reference/kernels/threads/shared.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { elementCount, tensorOf } from '../../reference/numbers/tensor.ts';

export interface Shape {
  readonly heads: number;
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly head_dim: number;
  /** Width of the features that K and V are recomputed from; absent = both are given. */
  readonly dim_y?: number;
}

export type Direction = 'forward' | 'both';

/** Normal-like values over shared memory, as a caller with threads would keep them. */
function values(seed: number, length: number, dtype: Dtype): Float64Array {
  const generator = xoroshiro128plus(seed);
  const data = sharedArray(length);
  for (let n = 0; n < length; n++) {
    let sum = -6;
    for (let k = 0; k < 12; k++) sum += uniformFloat64(generator);
    data[n] = roundTo(dtype, sum);
  }
  return data;
}

const pools = new Map<string, Float64Array>();

/** Values of a seed, drawn once and cut to size. */
function drawn(seed: number, length: number, dtype: Dtype): Float64Array {
  const present = pools.get(`${dtype} ${seed}`);
  if (present !== undefined && present.length >= length) return present.subarray(0, length);
  const data = values(seed, length, dtype);
  pools.set(`${dtype} ${seed}`, data);
  return data;
}

export function benchCase(shape: Shape, direction: Direction, dtype: Dtype = 'f32'): AttentionCase {
  const { heads, seq_q, seq_kv, head_dim, dim_y } = shape;
  const tensor = (seed: number, ...extents: number[]) =>
    tensorOf<number>(drawn(seed, elementCount(extents), dtype), extents);
  const rows = (seed: number, n: number) => tensor(seed, 1, heads, n, head_dim);
  const wants: OutputName[] = ['out', 'lse'];
  if (direction === 'both') wants.push('d_q');
  if (direction === 'both' && dim_y === undefined) wants.push('d_k', 'd_v');
  if (direction === 'both' && dim_y !== undefined) wants.push('d_y', 'd_w_k', 'd_w_v');
  const features = (dim: number) => ({
    y: tensor(2, 1, seq_kv, dim),
    w_k: tensor(3, dim, heads * head_dim),
    w_v: tensor(5, dim, heads * head_dim),
  });
  return {
    parameters: {
      ...{ schema: 1, id: 'bench', dtype, batch: 1, heads, kv_heads: heads, seq_q, seq_kv },
      ...{ head_dim, head_dim_v: head_dim, ...(dim_y === undefined ? {} : { dim_y }) },
      // Recomputed keys are as long as there are features.
      scale: Math.fround(1 / Math.sqrt(head_dim * (dim_y ?? 1))),
      ...{ softcap: 0, causal: 'none', window: null, media: null, dropout_rate: 0, wants },
      partition: { ranks: 1, q: [seq_q], kv: [seq_kv] },
    },
    inputs: {
      q: rows(1, seq_q),
      ...(dim_y === undefined ? { k: rows(2, seq_kv), v: rows(3, seq_kv) } : features(dim_y)),
      ...(direction === 'both' ? { d_out: rows(4, seq_q) } : {}),
    },
    judging: 'random',
  };
}

export const operations = (
  { heads, seq_q, seq_kv, head_dim }: Shape,
  direction: Direction,
): number => (direction === 'both' ? 14 : 4) * heads * seq_q * seq_kv * head_dim;

/**
 * For ours and NumPy's processes: huge pages, which NumPy asks for anyway, and memory that stays with the process
 * when a run lets go of it. The best run's is then memory that was touched before; what the first touch
 * costs is the machine's affair (behind some hypervisors 20 µs a page, longer than the arithmetic).
 */
export const MEMORY = {
  GLIBC_TUNABLES: [
    'glibc.malloc.hugetlb=1',
    'glibc.malloc.mmap_max=0',
    'glibc.malloc.trim_threshold=68719476736',
    // Else each of Node's own threads keeps huge pages for itself.
    'glibc.malloc.arena_max=1',
  ].join(':'),
};

export interface NumpyRun {
  readonly seconds: number;
  readonly kernel: string | null;
}

/** Best of `runs` in NumPy, with `check` of an `allclose` of every output too; null without NumPy. */
export function numpyRun(
  shape: Shape,
  direction: Direction,
  threads: number,
  { runs, check = false }: { readonly runs: number; readonly check?: boolean },
): NumpyRun | null {
  const script = fileURLToPath(new URL('../../../gate/bench/numpy_speed.py', import.meta.url));
  const { status, stdout } = spawnSync(process.env.XATTN_PYTHON ?? 'python3', [script], {
    input: `${JSON.stringify({ ...shape, direction, runs, check })}\n`,
    env: {
      ...process.env,
      ...MEMORY,
      OPENBLAS_NUM_THREADS: String(threads),
      OMP_NUM_THREADS: String(threads),
    },
    encoding: 'utf8',
  });
  return status === 0 ? (JSON.parse(stdout) as NumpyRun) : null;
}
