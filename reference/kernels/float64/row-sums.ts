/**
 * Sums over rows that are no matrix products, with errors: D, dSink and dBias. spec (12), (17), (18)
 * @module
 */

import type { AttentionCase } from '../../case/case.ts';
import { exp } from '../../numbers/float64.ts';
import { nth, nthIfAny } from '../../numbers/nth.ts';
import { broadcastStrides, elementCount, tensorOf } from '../../numbers/tensor.ts';
import { type KernelProblem, PAIR_STRIDE } from '../walk/problem.ts';
import { type Deltas, newSums, type ScoreListener, type Sums } from './backward-work.ts';
import { growth, SLACK, TINY, U } from './radius.ts';
import type { RowResults } from './row-blocks.ts';

/** dLSE − D of the given rows, [B, Hq, rows]: `ΔD ≤ Σ|dO|ΔO + (dv + 1)u·Σ|dO||Ô|`. */
export function deltasOf(
  { parameters: p, dOut, dLse }: KernelProblem,
  rows: readonly number[],
  { out, outRadius }: RowResults,
  allocate: (length: number) => Float64Array,
): Deltas {
  const deltas = newSums(p.batch * p.heads * rows.length, allocate);
  const dv = p.head_dim_v;
  const row = new Float64Array(dv);
  let at = 0;
  for (let head = 0; head < p.batch * p.heads; head++) {
    const [b, h] = [Math.floor(head / p.heads), head % p.heads];
    for (const i of rows) {
      dOut?.row(b, h, i, row, 0);
      let [sum, size, spread] = [0, 0, 0];
      for (let c = 0; c < dv; c++) {
        const term = nth(row, c) * nth(out, at * dv + c);
        sum += term;
        size += Math.abs(term);
        spread += Math.abs(nth(row, c)) * nth(outRadius, at * dv + c);
      }
      const delta = (dLse === null ? 0 : dLse.get(b, h, i)) - sum;
      deltas.value[at] = delta;
      deltas.error[at] =
        (spread + (dv + 1) * U * size + U * Math.abs(delta)) * SLACK + (dv + 2) * TINY;
      at++;
    }
  }
  return deltas;
}

/** dSink_h = Σ P_sink (dLSE − D), over all rows of the head. spec (18) */
export function sinkGradient(
  { parameters: p, sink }: KernelProblem,
  rows: readonly number[],
  { m, inverse, probability }: RowResults,
  deltas: Deltas,
): Sums {
  const sums = newSums(p.heads);
  const count = p.batch * rows.length;
  let at = 0;
  for (let head = 0; head < p.batch * p.heads; head++) {
    const h = head % p.heads;
    for (let n = 0; n < rows.length; n++, at++) {
      const weight = exp(nthIfAny(sink, h) - nth(m, at)) * nth(inverse, at);
      const delta = nth(deltas.value, at);
      const term = weight * delta;
      const relative = growth((probability[at] ?? Number.POSITIVE_INFINITY) + 2 * U);
      const own =
        Math.abs(term) * (relative + (count + 2) * U) +
        weight * (1 + relative) * nth(deltas.error, at);
      sums.value[h] = nth(sums.value, h) + term;
      sums.error[h] = nth(sums.error, h) + own * SLACK + (4 * Math.abs(delta) + 8) * TINY;
    }
  }
  return sums;
}

/** dBias under construction: fed by the backward pass, read at the end. */
export interface ScoreSums {
  readonly shape: number[];
  readonly listener: ScoreListener;
  readonly sums: () => Sums;
}

/** dBias: dS summed over the axes along which the bias broadcasts. spec (17) */
export function biasGradient({ inputs, parameters: p }: AttentionCase): ScoreSums {
  const shape = [...(inputs.bias?.shape ?? [])];
  const count = elementCount(shape);
  const sums = newSums(count);
  const sizes = new Float64Array(count);
  const full = [p.batch, p.heads, p.seq_q, p.seq_kv];
  const [s0, s1, s2, s3] = broadcastStrides(tensorOf<number>(sums.value, shape));
  // Every element sums the pairs along the axes it does not have.
  const terms = elementCount(full) / Math.max(1, count);
  return {
    shape,
    listener: ([b, h], rows, keys, dS, error, lost) => {
      rows.forEach((i, r) => {
        keys.forEach((j, c) => {
          const to = b * s0 + h * s1 + i * s2 + j * s3;
          const value = nth(dS, r * PAIR_STRIDE + c);
          sums.value[to] = nth(sums.value, to) + value;
          sums.error[to] = nth(sums.error, to) + nth(error, r * PAIR_STRIDE + c) + lost;
          sizes[to] = nth(sizes, to) + Math.abs(value);
        });
      });
    },
    sums: () => {
      sizes.forEach((size, n) => {
        sums.error[n] = (nth(sums.error, n) + size * terms * U) * SLACK;
      });
      return sums;
    },
  };
}
