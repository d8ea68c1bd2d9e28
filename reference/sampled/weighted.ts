/**
 * What the weights of softmax make of magnitudes, for whole rows at once: Σ_j P_ij|K_jc|, and the
 * largest components of K and V. Rounded up.
 * @module
 */
import type { AttentionCase, InputName } from '../case.ts';
import { certify } from '../kernels/certify.ts';
import { magnitudeOf } from '../stored-file.ts';
import { forEachRun, type Tensor } from '../tensor.ts';

/** How the kernels are run. */
export interface Run {
  /** Query positions; null = all. */
  readonly rows: readonly number[] | null;
  readonly threads: number;
}

export function required({ inputs }: AttentionCase, name: InputName): Tensor {
  const tensor = inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  return tensor;
}

export const chosenRows = ({ rows }: Pick<Run, 'rows'>): { rows?: readonly number[] } =>
  rows === null ? {} : { rows };

/**
 * Σ_j P_ij|K_jc| at most, [B, Hq, rows, d]: the output of the case whose values are |K|. Nothing is
 * dropped from it: dS meets K without κ, which its bracket has already.
 */
export function weightedKeys(attentionCase: AttentionCase, run: Run): Float64Array {
  const { parameters, inputs } = attentionCase;
  const { dropout_keep: _, ...others } = inputs;
  const width = parameters.head_dim;
  const changes = { head_dim_v: width, dropout_rate: 0, wants: ['out' as const] };
  const { out } = certify(
    {
      ...attentionCase,
      parameters: { ...parameters, ...changes },
      inputs: { ...others, v: magnitudeOf(required(attentionCase, 'k')) },
    },
    { ...chosenRows(run), threads: run.threads },
  );
  if (out === undefined) throw new Error('the kernels gave no output');
  const radius = out.radius.data;
  return Float64Array.from(out.mid.data, (x, n) => Math.abs(x) + (radius[n] ?? 0));
}

/** Largest |X_jc| over the keys of a head, and the largest ‖X_j‖ and Σ_c|X_jc|. */
export interface Largest {
  readonly columns: Float64Array;
  norm: number;
  sum: number;
}

/** Sums of the row that a run ended in, so far. */
interface Unfinished {
  readonly squares: number;
  readonly sum: number;
}

/** The elements of one head in `run`, from component `c` on, into `one`. */
function addRun(one: Largest, run: Float64Array, c: number, begun: Unfinished): Unfinished {
  const { columns } = one;
  const width = columns.length;
  let [at, { squares, sum }, norm, most] = [c, begun, 0, 0];
  for (let n = 0; n < run.length; n++) {
    const size = Math.abs(run[n] ?? 0);
    if (size < Number.POSITIVE_INFINITY) {
      if (size > (columns[at] ?? 0)) columns[at] = size;
      squares += size * size;
      sum += size;
    }
    if (++at < width) continue;
    if (squares > norm) norm = squares;
    if (sum > most) most = sum;
    at = 0;
    squares = 0;
    sum = 0;
  }
  one.norm = Math.max(one.norm, Math.sqrt(norm));
  one.sum = Math.max(one.sum, most);
  return { squares, sum };
}

/** The largest of every KV head, [B·Hkv]. What is not finite belongs to keys that nobody sees. */
export function largestOfHeads(tensor: Tensor): Largest[] {
  const [batch = 0, heads = 0, seq = 0, width = 0] = tensor.shape;
  const all = Array.from({ length: batch * heads }, () => ({
    columns: new Float64Array(width),
    norm: 0,
    sum: 0,
  }));
  let begun: Unfinished = { squares: 0, sum: 0 };
  forEachRun(tensor, (start, run) => {
    for (let n = 0; n < run.length; ) {
      const [flat, each] = [start + n, seq * width];
      const end = Math.min(run.length, n + each - (flat % each));
      const one = all[Math.floor(flat / each)];
      if (one === undefined) throw new Error('no such KV head');
      begun = addRun(one, run.subarray(n, end), flat % width, begun);
      n = end;
    }
  });
  return all;
}

/** The largest of K and of V, which a whole case has in common. */
export interface LargestInputs {
  readonly keys: readonly Largest[];
  readonly values: readonly Largest[];
}

export const largestInputs = (attentionCase: AttentionCase): LargestInputs => ({
  keys: largestOfHeads(required(attentionCase, 'k')),
  values: largestOfHeads(required(attentionCase, 'v')),
});

/** Largest |X_jc| there is. */
export const largestComponent = (heads: readonly Largest[]): number =>
  heads.reduce((most, { columns }) => columns.reduce((x, y) => Math.max(x, y), most), 0);
