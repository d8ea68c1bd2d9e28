/**
 * certify: midpoints and rigorous radii of the outputs of a case, by the fast kernels.
 *
 * The exact real value of every element lies within `radius` of `mid` (+ `low`); a radius of
 * Infinity says nothing. Derivation: spec/bounds.md, "The kernels' radii". The memory used is that
 * of the outputs and of a few tiles.
 * @module
 */
import type { AttentionCase, OutputName } from '../case.ts';
import { type Tensor, tensorOf } from '../tensor.ts';
import { emptyResults, forwardRows, type RowResults } from './forward.ts';
import { kernelModule } from './module.ts';
import { type KernelProblem, kernelProblem, tilesOf } from './problem.ts';

/** An output with its certificate; all of one shape. */
export interface CertifiedOutput {
  readonly mid: Tensor;
  /** The second word of double-double; null in float64. */
  readonly low: Tensor | null;
  /** Infinity where nothing is known. LSE −Infinity of an empty row has radius 0. */
  readonly radius: Tensor;
}

export type Certified = Partial<Record<OutputName, CertifiedOutput>>;

export interface CertifyOptions {
  readonly system: 'float64' | 'double-double';
  /** Rising query positions, the same for every head: out, lse and d_q have these rows only. */
  readonly rows?: ArrayLike<number>;
  /** Rising key positions, the same for every head: d_k and d_v have these keys only. */
  readonly keys?: ArrayLike<number>;
}

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

function pair(mid: Float64Array, radius: Float64Array, shape: readonly number[]): CertifiedOutput {
  return { mid: tensorOf(mid, shape), low: null, radius: tensorOf(radius, shape) };
}

/** The forward pass of the given rows of every head, [B, Hq, rows]. */
function forwardOf(problem: KernelProblem, rows: readonly number[]): RowResults {
  const { batch, heads, head_dim_v } = problem.parameters;
  const results = emptyResults(batch * heads * rows.length, head_dim_v);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      let at = (b * heads + h) * rows.length;
      for (const tile of tilesOf(rows)) {
        forwardRows(kernelModule(), problem, [b, h], tile, results, at);
        at += tile.length;
      }
    }
  }
  return results;
}

/** Every wanted output that the kernels do, with its certificate. */
export function certify(attentionCase: AttentionCase, options: CertifyOptions): Certified {
  const { parameters: p, inputs } = attentionCase;
  const { k, v } = inputs;
  if (options.system !== 'float64' || k === undefined || v === undefined) return {};
  const problem = kernelProblem(attentionCase, k, v, null);
  const rows = options.rows === undefined ? range(p.seq_q) : Array.from(options.rows);
  const results = forwardOf(problem, rows);
  const certified: Certified = {};
  const shape = [p.batch, p.heads, rows.length];
  if (p.wants.includes('out')) {
    certified.out = pair(results.out, results.outRadius, [...shape, p.head_dim_v]);
  }
  if (p.wants.includes('lse')) certified.lse = pair(results.lse, results.lseRadius, shape);
  return certified;
}
