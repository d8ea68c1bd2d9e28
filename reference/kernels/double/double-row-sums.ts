/**
 * Sums over rows in double-double, with radii: D, dSink and dBias. spec (12), (17), (18)
 *
 * As row-sums.ts does it in float64; radii as in spec/bounds.md §9.
 * @module
 */

import type { AttentionCase } from '../../case/case.ts';
import { addNumber, type DoubleDouble, doubleDouble } from '../../numbers/double-double.ts';
import { nth, nthIfAny } from '../../numbers/nth.ts';
import { broadcastStrides, elementCount, tensorOf } from '../../numbers/tensor.ts';
import { growth, SLACK } from '../float64/radius.ts';
import { eachRow, type HeadRows } from '../walk/head-rows.ts';
import { type KernelProblem, PAIR_STRIDE } from '../walk/problem.ts';
import { ADDITION, LOST, STEP } from './double-radius.ts';
import {
  type Allocate,
  type DoubleRows,
  type DoubleSums,
  newDoubleSums,
  put,
} from './double-sums.ts';
import type { DoubleScoreListener } from './double-work.ts';

const { add, exp, fromNumber, mul, neg, sub, zero } = doubleDouble;

const at = ({ high, low }: DoubleSums, n: number): DoubleDouble => ({
  hi: nth(high, n),
  lo: nth(low, n),
});

/** dLSE − D of the rows. spec (12) */
export function doubleDeltas(
  { parameters: p, dOut, dLse }: KernelProblem,
  rows: HeadRows,
  { out }: DoubleRows,
  allocate?: Allocate,
): DoubleSums {
  const deltas = newDoubleSums(rows.count, allocate);
  const dv = p.head_dim_v;
  const row = new Float64Array(dv);
  eachRow(rows, (n, head, i) => {
    const [b, h] = [Math.floor(head / p.heads), head % p.heads];
    dOut?.row(b, h, i, row, 0);
    let [sum, size, spread] = [zero, 0, 0];
    for (let c = 0; c < dv; c++) {
      const term = mul(fromNumber(nth(row, c)), at(out, n * dv + c));
      sum = add(sum, term);
      size += Math.abs(term.hi);
      spread += Math.abs(nth(row, c)) * nth(out.radius, n * dv + c);
    }
    const delta = addNumber(neg(sum), dLse === null ? 0 : dLse.get(b, h, i));
    const error = (spread + (dv + 4) * STEP * size + 4 * STEP * Math.abs(delta.hi)) * SLACK;
    put(deltas, n, delta, error + (dv + 2) * LOST);
  });
  return deltas;
}

/** dSink_h = Σ P_sink (dLSE − D), over all rows of the head. spec (18) */
export function doubleSinkGradient(
  { parameters: p, sink }: KernelProblem,
  rows: HeadRows,
  { m, inverse }: DoubleRows,
  deltas: DoubleSums,
): DoubleSums {
  const sums = newDoubleSums(p.heads);
  const count = p.batch * p.seq_q;
  eachRow(rows, (n, head) => {
    const h = head % p.heads;
    const weight = exp(sub(fromNumber(nthIfAny(sink, h)), fromNumber(nth(m, n))));
    const probability = mul(weight, at(inverse, n));
    const delta = at(deltas, n);
    const term = mul(probability, delta);
    // The log-domain error of exp(s − m)/l holds of the sink as of any score.
    const relative = growth((inverse.radius[n] ?? Number.POSITIVE_INFINITY) + 4 * STEP);
    const size = Math.abs(term.hi) * SLACK;
    const own =
      size * (relative + (count + 2) * ADDITION) +
      Math.abs(probability.hi) * (1 + relative) * nth(deltas.radius, n);
    const lost = (4 * Math.abs(delta.hi) + 8) * LOST;
    const radius = nth(sums.radius, h) + own * SLACK + lost;
    put(sums, h, add(at(sums, h), term), radius);
  });
  return sums;
}

/** dBias under construction: fed by the backward pass, read at the end. */
export interface DoubleScoreSums {
  readonly listener: DoubleScoreListener;
  /** What the pairs lost near zero, at most, each. */
  readonly sums: (lost: number) => DoubleSums;
}

/** dBias: dS summed over the axes along which the bias broadcasts. spec (17) */
export function doubleBiasGradient({ inputs, parameters: p }: AttentionCase): DoubleScoreSums {
  const shape = [...(inputs.bias?.shape ?? [])];
  const count = elementCount(shape);
  const sums = newDoubleSums(count);
  const sizes = new Float64Array(count);
  const full = [p.batch, p.heads, p.seq_q, p.seq_kv];
  const [s0, s1, s2, s3] = broadcastStrides(tensorOf<number>(sums.high, shape));
  const terms = elementCount(full) / Math.max(1, count);
  const listener: DoubleScoreListener = ([b, h], rows, keys, [high, low, error]) => {
    rows.forEach((i, r) => {
      keys.forEach((j, c) => {
        const from = r * PAIR_STRIDE + c;
        const to = b * s0 + h * s1 + i * s2 + j * s3;
        const sum = add(at(sums, to), { hi: nth(high, from), lo: nth(low, from) });
        sums.high[to] = sum.hi;
        sums.low[to] = sum.lo;
        sums.radius[to] = nth(sums.radius, to) + nth(error, from);
        sizes[to] = nth(sizes, to) + Math.abs(nth(high, from));
      });
    });
  };
  return {
    listener,
    sums: (lost) => {
      sizes.forEach((size, n) => {
        const error = nth(sums.radius, n) + size * (terms + 2) * ADDITION;
        put(sums, n, at(sums, n), error * SLACK + terms * lost);
      });
      return sums;
    },
  };
}
