/**
 * What the weights of softmax make of magnitudes, for whole rows at once: Σ_j κP_ij|V_jc| and
 * Σ_j P_ij|K_jc|, and the largest components of K and V. From the kernels, rounded up.
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

/** Σ_j κP_ij|X_jc| at most, [B, Hq, rows, width]: the output of the case whose values are |X|. */
export function weightedMagnitudes(
  attentionCase: AttentionCase,
  name: 'k' | 'v',
  run: Run,
): Float64Array {
  const { parameters, inputs } = attentionCase;
  const width = name === 'v' ? parameters.head_dim_v : parameters.head_dim;
  const { dropout_keep: keep, ...others } = inputs;
  // dS meets K without κ, which its bracket has already.
  const dropout = name === 'v' && keep !== undefined;
  const { out } = certify(
    {
      ...attentionCase,
      parameters: {
        ...parameters,
        head_dim_v: width,
        dropout_rate: dropout ? parameters.dropout_rate : 0,
        wants: ['out'],
      },
      inputs: {
        ...others,
        ...(dropout ? { dropout_keep: keep } : {}),
        v: magnitudeOf(required(attentionCase, name)),
      },
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

/** The largest of every KV head, [B·Hkv]. What is not finite belongs to keys that nobody sees. */
export function largestOfHeads(tensor: Tensor): Largest[] {
  const [batch = 0, heads = 0, seq = 0, width = 0] = tensor.shape;
  const all = Array.from({ length: batch * heads }, () => ({
    columns: new Float64Array(width),
    norm: 0,
    sum: 0,
  }));
  let [squares, sum] = [0, 0];
  forEachRun(tensor, (start, run) => {
    for (let n = 0; n < run.length; n++) {
      const flat = start + n;
      const c = flat % width;
      if (c === 0) [squares, sum] = [0, 0];
      const one = all[Math.floor(flat / (seq * width))];
      const size = Math.abs(run[n] ?? 0);
      if (one === undefined || !(size < Number.POSITIVE_INFINITY)) continue;
      if (size > (one.columns[c] ?? 0)) one.columns[c] = size;
      squares += size * size;
      sum += size;
      if (c < width - 1) continue;
      one.norm = Math.max(one.norm, Math.sqrt(squares));
      one.sum = Math.max(one.sum, sum);
    }
  });
  return all;
}
