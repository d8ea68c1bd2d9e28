/**
 * certify: midpoints and rigorous radii of the outputs of a case, by the fast kernels.
 *
 * The exact real value of every element lies within `radius` of `mid`; a radius of Infinity says
 * nothing. Derivation: spec/bounds.md, "The kernels' radii". The memory used is that
 * of the outputs and of a few tiles, or parts of the keys.
 * @module
 */

import {
  type AttentionCase,
  FEATURE_GRADIENTS,
  type OutputName,
  wantsGradients,
} from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { nth } from '../../numbers/nth.ts';
import { type Tensor, tensorOf } from '../../numbers/tensor.ts';
import { type KernelRun, type KernelSystem, startRun } from '../threads/run.ts';
import type { KernelProblem, KeyErrors } from '../walk/problem.ts';
import { type BackwardTask, newSums, type ScoreListener, type Sums } from './backward-work.ts';
import { featureGradientsOf, throughFeatures } from './feature-gradients.ts';
import { type KeySizes, newKeySizes } from './key-sizes.ts';
import { finiteRadius } from './radius.ts';
import { emptyResults, type RowResults } from './row-blocks.ts';
import { biasGradient, deltasOf, sinkGradient } from './row-sums.ts';
import { runUnit, type Task, unitCount } from './task.ts';

/** An output with its certificate; all of one shape. */
export interface CertifiedOutput {
  readonly mid: Tensor;
  /** Infinity where nothing is known. LSE −Infinity of an empty row has radius 0. */
  readonly radius: Tensor;
}

export type Certified = Partial<Record<OutputName, CertifiedOutput>>;

export interface CertifyOptions {
  /** Rising query positions, the same for every head: out, lse and d_q have these rows only. */
  readonly rows?: ArrayLike<number> | undefined;
  /** Rising key positions, the same for every head: d_k, d_v and d_y have these keys only. */
  readonly keys?: ArrayLike<number> | undefined;
  /**
   * Threads that work at once, this one included; default 1. Bits do not depend on it. Node only. More than one
   * read inputs over shared memory and in files as they are, and copies of others.
   */
  readonly threads?: number | undefined;
  /** How far recomputed K and V may be off, where `recomputedKeys` has found it; else it is found anew. */
  readonly keyErrors?: KeyErrors | null | undefined;
}

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

const output = ({ value, error }: Sums, shape: readonly number[]): CertifiedOutput => ({
  mid: tensorOf(value, shape),
  radius: tensorOf(error, shape),
});

/** Sums whose errors are not rounded outward yet. */
function certificate(sums: Sums, shape: readonly number[]): CertifiedOutput {
  const { value, error } = sums;
  for (let n = 0; n < error.length; n++) error[n] = finiteRadius(nth(value, n), nth(error, n));
  return output(sums, shape);
}

/** The kernels in float64. */
const FLOAT64: KernelSystem<KernelProblem, Task, ScoreListener> = {
  ...{ problem: (problem) => problem, unitCount, runUnit },
  work: (flat, task) => ({ flat, task }),
};

type Run = KernelRun<KernelProblem, Task, ScoreListener>;

/** The forward pass of the given rows of every head, [B, Hq, rows]. */
function forwardOf(
  { problem, threads, allocate, perform }: Run,
  rows: readonly number[],
  sized = false,
): RowResults {
  const { batch, heads, head_dim_v } = problem.parameters;
  const results = emptyResults(batch * heads * rows.length, head_dim_v, allocate, sized);
  if (rows.length > 0) perform({ kind: 'forward', rows, threads, results });
  return results;
}

/** Rows and keys chosen; absent = all. */
interface Selection {
  readonly rows: readonly number[] | null;
  readonly keys: readonly number[] | null;
}

/** A backward pass: its rows and keys, the sums it adds to, and whether dK and dV go on to the features. */
interface Pass extends Pick<BackwardTask, 'rows' | 'keys' | 'dQ' | 'dK' | 'dV'> {
  readonly results: RowResults;
  readonly onward: boolean;
  /** All rows and keys: then dSink is among what it gives. */
  readonly whole: boolean;
  readonly listener: ScoreListener | null;
}

/** Runs a pass; the gradients that it gives beside the sums it was told of. */
function backwardPass(
  attentionCase: AttentionCase,
  run: Run,
  { onward, whole, listener, ...given }: Pass,
): Certified {
  const { parameters: p } = attentionCase;
  const { rows, keys, results } = given;
  const certified: Certified = {};
  const deltas = deltasOf(run.problem, rows, results, run.allocate);
  const keyCount = keys.length;
  const perform = (task: Task) => run.perform(task, task.kind === 'backward' ? listener : null);
  const task: BackwardTask = { kind: 'backward', ...given, keyCount, deltas, final: !onward };
  if (onward) {
    const found = throughFeatures(p, { ...run, perform }, task);
    const byKey = [p.batch, keyCount, p.dim_y ?? 0];
    for (const name of FEATURE_GRADIENTS) {
      const sums = found[name];
      const shape = name === 'd_y' ? byKey : outputShape(attentionCase, name);
      if (sums !== null) certified[name] = certificate(sums, shape);
    }
  } else perform(task);
  if (whole && p.wants.includes('d_sink') && run.problem.sink !== null) {
    certified.d_sink = certificate(sinkGradient(run.problem, rows, results, deltas), [p.heads]);
  }
  return certified;
}

/** Gradients of whole rows and keys: one pass where nothing is chosen, else one for each kind. */
function gradients(
  attentionCase: AttentionCase,
  run: Run,
  { rows, keys }: Selection,
  results: RowResults,
): Certified {
  const { parameters: p } = attentionCase;
  const wants = (name: OutputName): boolean => p.wants.includes(name);
  const [allRows, allKeys] = [range(p.seq_q), range(p.seq_kv)];
  const certified: Certified = {};
  const sums = (n: number, width: number, heads: number): Sums =>
    newSums(p.batch * heads * n * width, run.allocate);
  const keyCount = (keys ?? allKeys).length;
  const whole = rows === null && keys === null;
  const onward = featureGradientsOf(p, keyCount).length > 0;
  const dQ = wants('d_q') ? sums((rows ?? allRows).length, p.head_dim, p.heads) : null;
  const dK = wants('d_k') ? sums(keyCount, p.head_dim, p.kv_heads) : null;
  const dV = wants('d_v') ? sums(keyCount, p.head_dim_v, p.kv_heads) : null;
  const scores = whole && wants('d_bias') ? biasGradient(attentionCase) : null;
  const pass = (given: Omit<Pass, 'whole' | 'listener'>): void => {
    const all = { ...given, whole, listener: scores?.listener ?? null };
    Object.assign(certified, backwardPass(attentionCase, run, all));
  };
  if (whole) pass({ rows: allRows, keys: allKeys, results, dQ, dK, dV, onward });
  else {
    if (dQ !== null) {
      const ofRows = { rows: rows ?? allRows, keys: allKeys, results, dQ, dK: null, dV: null };
      pass({ ...ofRows, onward: false });
    }
    if (keyCount > 0 && (dK !== null || dV !== null || onward)) {
      const ofAll = rows === null ? results : forwardOf(run, allRows);
      pass({ rows: allRows, keys: keys ?? allKeys, results: ofAll, dQ: null, dK, dV, onward });
    }
  }
  const rowShape = [p.batch, p.heads, (rows ?? allRows).length];
  const keyShape = [p.batch, p.kv_heads, keyCount];
  if (dQ !== null) certified.d_q = certificate(dQ, [...rowShape, p.head_dim]);
  const ofKeys = onward ? certificate : output;
  if (dK !== null && wants('d_k')) certified.d_k = ofKeys(dK, [...keyShape, p.head_dim]);
  if (dV !== null && wants('d_v')) certified.d_v = ofKeys(dV, [...keyShape, p.head_dim_v]);
  if (scores !== null) certified.d_bias = certificate(scores.sums(), scores.shape);
  return certified;
}

interface Passes {
  readonly certified: Certified;
  readonly results: RowResults;
}

function passes(attentionCase: AttentionCase, options: CertifyOptions, sized: boolean): Passes {
  const { parameters: p } = attentionCase;
  const threads = options.threads ?? 1;
  const run = startRun(FLOAT64, attentionCase, threads, options.keyErrors);
  const chosen = (list: ArrayLike<number> | undefined): number[] | null =>
    list === undefined ? null : Array.from(list);
  const selection: Selection = { rows: chosen(options.rows), keys: chosen(options.keys) };
  const rows = selection.rows ?? range(p.seq_q);
  const results = forwardOf(run, rows, sized);
  const certified: Certified = {};
  const shape = [p.batch, p.heads, rows.length];
  const { out, outRadius, lse, lseRadius } = results;
  if (wantsGradients(p)) {
    Object.assign(certified, gradients(attentionCase, run, selection, results));
  }
  if (p.wants.includes('out')) {
    const tensor = tensorOf<number>(outRadius, [...shape, p.head_dim_v]);
    certified.out = { mid: tensorOf(out, tensor.shape), radius: tensor };
  }
  if (p.wants.includes('lse')) {
    certified.lse = { mid: tensorOf(lse, shape), radius: tensorOf(lseRadius, shape) };
  }
  return { certified, results };
}

/** Every wanted output that the kernels do, with its certificate. */
export function certify(attentionCase: AttentionCase, options: CertifyOptions = {}): Certified {
  return passes(attentionCase, options, false).certified;
}

export interface WithMaxima {
  readonly certified: Certified;
  /** Largest score of each row, [B, Hq, rows]: what its weights are about. −∞ for an empty row. */
  readonly maxima: Float64Array;
}

/** The same, with the rows' maxima. */
export function certifyWithMaxima(
  attentionCase: AttentionCase,
  options: CertifyOptions = {},
): WithMaxima {
  const { certified, results } = passes(attentionCase, options, false);
  return { certified, maxima: results.m };
}

export interface Sized {
  readonly certified: Certified;
  /** Σ_j κP_ij|V_jc| at most, [B, Hq, rows, dv]. */
  readonly valueSizes: Float64Array;
}

/** The same, and what the weights make of |V|, for half as much again as the forward pass. */
export function certifySized(attentionCase: AttentionCase, options: CertifyOptions = {}): Sized {
  const { certified, results } = passes(attentionCase, options, true);
  if (results.valueSizes === null) throw new Error('the kernels gave no sizes');
  return { certified, valueSizes: results.valueSizes };
}

/** Recomputed K and V: how large they are as computed, and how far they may be off. */
export interface RecomputedKeys {
  readonly sizes: KeySizes;
  readonly errors: KeyErrors;
}

/** Of the keys of a case with features. Throws RangeError for one without. */
export function recomputedKeys(attentionCase: AttentionCase, threads = 1): RecomputedKeys {
  const { problem, allocate, perform } = startRun(FLOAT64, attentionCase, threads);
  const { keyErrors: errors } = problem;
  if (errors === null) throw new RangeError('"dim_y" expected a number of features, got none');
  const sizes = newKeySizes(attentionCase, allocate);
  perform({ kind: 'key sizes', keySizes: sizes });
  return { sizes, errors };
}
