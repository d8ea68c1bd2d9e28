/**
 * certifyDouble: the outputs of a case in double-double by the fast kernels, with radii.
 *
 * The level of the ladder between the float64 kernels and the definition over balls. What its slices
 * cannot hold is left to that. Derivation: spec/bounds.md §9.
 * @module
 */
import { type AttentionCase, type OutputName, wantsGradients } from '../../case/case.ts';
import { type FeatureGradients, featureGradientsOf } from '../float64/feature-gradients.ts';
import { type KernelRun, type KernelSystem, startRun } from '../threads/run.ts';
import {
  type Columns,
  eachRow,
  everyRow,
  type HeadRows,
  type RowMaxima,
} from '../walk/head-rows.ts';
import { throughDoubleFeatures } from './double-feature-gradients.ts';
import { type DoubleProblem, doubleProblem } from './double-features.ts';
import {
  type DoubleScoreSums,
  doubleBiasGradient,
  doubleDeltas,
  doubleSinkGradient,
} from './double-row-sums.ts';
import { type DoubleRows, type DoubleSums, newDoubleRows, newDoubleSums } from './double-sums.ts';
import { type DoubleTask, doubleUnitCount, runDoubleUnit } from './double-task.ts';
import type { DoubleBackwardTask, DoubleScoreListener } from './double-work.ts';

/** Outputs by name, flat; rows and keys are those chosen. */
export type CertifiedDouble = Partial<Record<OutputName, DoubleSums>>;

export interface DoubleOptions {
  /** Absent = every row. */
  readonly rows?: HeadRows | undefined;
  /** Of an `out` that is wanted without gradients: others have no finite radius. Absent = all. */
  readonly columns?: Columns | undefined;
  /** `out` and `lse` with weights in float64: for less time, with a wider radius. Not for gradients. */
  readonly short?: boolean | undefined;
  /** Rising positions, the same for every head; absent = all. */
  readonly keys?: readonly number[] | undefined;
  /** Threads that work at once, this one included; default 1. Bits do not depend on it. */
  readonly threads?: number | undefined;
  /** Where they are known, as float64 finds them; where one is not, all are found anew. */
  readonly maxima?: RowMaxima | undefined;
}

/** The kernels in double-double. */
const DOUBLE: KernelSystem<DoubleProblem, DoubleTask, DoubleScoreListener> = {
  ...{ problem: doubleProblem, unitCount: doubleUnitCount, runUnit: runDoubleUnit },
  work: (flat, doubleTask) => ({ flat, doubleTask }),
};

type Run = KernelRun<DoubleProblem, DoubleTask, DoubleScoreListener>;

function forward(
  { problem, threads, allocate, perform }: Run,
  rows: HeadRows,
  { columns, short = false, maxima }: Pick<DoubleOptions, 'columns' | 'short' | 'maxima'>,
): DoubleRows {
  const results = newDoubleRows(rows.count, problem.parameters.head_dim_v, allocate);
  let known = true;
  eachRow(rows, (n, head, i) => {
    const m = maxima?.(head, i);
    known &&= m !== undefined;
    results.m[n] = m ?? 0;
  });
  perform({ kind: 'forward', rows, columns: columns ?? null, short, threads, known, results });
  return results;
}

/** The gradients of a pass; `features`: those that dK and dV go on to. */
interface Wanted {
  readonly q: boolean;
  readonly k: boolean;
  readonly v: boolean;
  readonly features: boolean;
}

/** One backward pass over rows and keys. */
function backward(
  { problem, allocate, perform }: Run,
  rows: HeadRows,
  keys: readonly number[],
  results: DoubleRows,
  wanted: Wanted,
  scores: DoubleScoreSums | null = null,
): CertifiedDouble {
  const { parameters: p } = problem;
  const deltas = doubleDeltas(problem, rows, results, allocate);
  const sums = (wants: boolean, length: number) => (wants ? newDoubleSums(length, allocate) : null);
  const dQ = sums(wanted.q, rows.count * p.head_dim);
  const dK = sums(wanted.k, p.batch * p.kv_heads * keys.length * p.head_dim);
  const dV = sums(wanted.v, p.batch * p.kv_heads * keys.length * p.head_dim_v);
  const lost = { most: allocate(p.batch * p.kv_heads), sum: allocate(p.batch * p.kv_heads) };
  const shared = { rows, keys, keyCount: keys.length, last: true, results, deltas };
  const task: DoubleBackwardTask = { kind: 'backward', ...shared, dQ, dK, dV, lost };
  const told = (some: DoubleTask) =>
    perform(some, some.kind === 'backward' ? scores?.listener : null);
  const onward = wanted.features ? throughDoubleFeatures(p, { perform: told, allocate }, task) : {};
  if (!wanted.features) told(task);
  const { d_y = null, d_w_k = null, d_w_v = null }: Partial<FeatureGradients<DoubleSums>> = onward;
  return {
    ...(d_y === null ? {} : { d_y }),
    ...(d_w_k === null ? {} : { d_w_k }),
    ...(d_w_v === null ? {} : { d_w_v }),
    ...(dQ === null ? {} : { d_q: dQ }),
    ...(dK === null ? {} : { d_k: dK }),
    ...(dV === null ? {} : { d_v: dV }),
    ...(scores === null ? {} : { d_bias: scores.sums(Math.max(0, ...lost.most)) }),
  };
}

const everyKey = (count: number): number[] => Array.from({ length: count }, (_, j) => j);

/** The wanted gradients of a whole case. */
function wholeGradients(
  attentionCase: AttentionCase,
  run: Run,
  rows: HeadRows,
  results: DoubleRows,
): CertifiedDouble {
  const { parameters: p } = attentionCase;
  const wants = (name: OutputName): boolean => p.wants.includes(name);
  const features = featureGradientsOf(p, p.seq_kv).length > 0;
  const wanted = { q: wants('d_q'), k: wants('d_k'), v: wants('d_v'), features };
  const scores = wants('d_bias') ? doubleBiasGradient(attentionCase) : null;
  const found: CertifiedDouble = {};
  if (wants('d_sink')) {
    const deltas = doubleDeltas(run.problem, rows, results);
    found.d_sink = doubleSinkGradient(run.problem, rows, results, deltas);
  }
  if (Object.values(wanted).includes(true) || scores !== null) {
    Object.assign(found, backward(run, rows, everyKey(p.seq_kv), results, wanted, scores));
  }
  return found;
}

/** The wanted outputs; dBias, dSink and dW of whole cases only. */
export function certifyDouble(
  attentionCase: AttentionCase,
  options: DoubleOptions = {},
): CertifiedDouble {
  const { parameters: p } = attentionCase;
  const { threads = 1, maxima } = options;
  const run = startRun(DOUBLE, attentionCase, threads);
  const wants = (name: OutputName): boolean => p.wants.includes(name);
  const [allRows, allKeys] = [everyRow(p), everyKey(p.seq_kv)];
  const [rows, keys] = [options.rows ?? allRows, options.keys ?? allKeys];
  const certified: CertifiedDouble = {};
  const features = featureGradientsOf(p, keys.length).length > 0;
  const wanted = { q: wants('d_q'), k: wants('d_k'), v: wants('d_v'), features };
  const few = wantsGradients(p) ? { maxima } : options;
  const results = wants('out') || wants('lse') || wanted.q ? forward(run, rows, few) : null;
  if (wants('out') && results !== null) certified.out = results.out;
  if (wants('lse') && results !== null) certified.lse = results.lse;
  const every = rows.count === allRows.count;
  const whole = every && keys.length === p.seq_kv;
  if (whole && p.wants.some((name) => name.startsWith('d_'))) {
    const ready = results ?? forward(run, allRows, { maxima });
    return { ...certified, ...wholeGradients(attentionCase, run, allRows, ready) };
  }
  if (wanted.q && results !== null) {
    const only = { ...wanted, k: false, v: false, features: false };
    Object.assign(certified, backward(run, rows, allKeys, results, only));
  }
  if (keys.length > 0 && (wanted.k || wanted.v || features)) {
    const ready = every && results !== null ? results : forward(run, allRows, { maxima });
    Object.assign(certified, backward(run, allRows, keys, ready, { ...wanted, q: false }));
  }
  return certified;
}
