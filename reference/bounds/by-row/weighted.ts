/**
 * What the weights of softmax make of the keys' magnitudes, for whole rows at once: Σ_j P_ij|K_jc|.
 * @module
 */
import type { AttentionCase, CaseInputs } from '../../case/case.ts';
import { certifySized } from '../../kernels/float64/certify.ts';
import type { KeyErrors } from '../../kernels/walk/problem.ts';

/** How the kernels are run. */
export interface Run {
  /** Query positions; null = all. */
  readonly rows: readonly number[] | null;
  readonly threads: number;
  /** How far recomputed K and V may be off; null where they are given. */
  readonly keyErrors: KeyErrors | null;
}

/** The inputs with K in the place of V: K itself, or the weights that it is recomputed with. */
function keysAsValues({ k, w_k, ...others }: CaseInputs): CaseInputs {
  if (w_k !== undefined) return { ...others, w_k, w_v: w_k };
  return k === undefined ? others : { ...others, k, v: k };
}

/**
 * Σ_j P_ij|K_jc| at most, [B, Hq, rows, d]: what the kernels find of |V| in the case whose values are its
 * keys. Nothing is dropped from it: dS meets K without κ, which its bracket has already.
 */
export function weightedKeys(attentionCase: AttentionCase, run: Run): Float64Array {
  const { parameters, inputs } = attentionCase;
  const { dropout_keep: _, ...others } = inputs;
  const head_dim_v = parameters.head_dim;
  const changes = { head_dim_v, dropout_rate: 0, wants: ['out' as const] };
  const { keyErrors: errors } = run;
  const keyErrors =
    errors === null ? null : { ...errors, value: errors.key, valueNorm: errors.keyNorm };
  const { valueSizes } = certifySized(
    {
      ...attentionCase,
      parameters: { ...parameters, ...changes },
      inputs: keysAsValues(others),
    },
    { ...run, rows: run.rows ?? undefined, keyErrors },
  );
  return valueSizes;
}
