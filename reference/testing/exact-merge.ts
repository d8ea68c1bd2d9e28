/**
 * The merge of given parts from spec (27) alone, in intervals: Σ e^(LSE_p − m) O_p over Σ e^(LSE_p − m).
 * It shares no code with the definition, nor with how a merge is asked as attention.
 * @module
 */
import type { AttentionCase, OutputName } from '../case/case.ts';
import {
  binary,
  compare,
  type Interval,
  intervals,
  negative,
  plus,
  point,
  ZERO,
} from './binary.ts';

/** Every wanted output, each operation rounded outward at so many bits; null is the −∞ of no part. */
export function exactMerge(
  { parameters: p, inputs }: AttentionCase,
  bits: number,
): Partial<Record<OutputName, (Interval | null)[]>> {
  const { add, mul, div, exp, log, sum } = intervals(bits);
  const outputs = { out: [], lse: [] } as {
    out: Interval[];
    lse: (Interval | null)[];
  };
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
  for (const b of numbers(p.batch)) {
    for (const h of numbers(p.heads)) {
      for (const i of numbers(p.seq_q)) {
        const parts = numbers(inputs.lses?.shape[0] ?? 0).flatMap((n) => {
          const lse = inputs.lses?.get(n, b, h, i) ?? Number.NaN;
          return lse === Number.NEGATIVE_INFINITY ? [] : [{ n, lse: binary(lse) }];
        });
        const m = parts.reduce(
          (most, { lse }) => (compare(lse, most) > 0 ? lse : most),
          parts[0]?.lse ?? ZERO,
        );
        const weights = parts.map(({ lse }) => exp(point(plus(lse, negative(m)))));
        const l = sum(weights);
        outputs.lse.push(parts.length === 0 ? null : add(point(m), log(l)));
        for (const c of numbers(p.head_dim_v)) {
          const terms = parts.map(({ n }, at) =>
            mul(weights[at] ?? point(ZERO), point(binary(inputs.outs?.get(n, b, h, i, c) ?? 0))),
          );
          outputs.out.push(parts.length === 0 ? point(ZERO) : div(sum(terms), l));
        }
      }
    }
  }
  return Object.fromEntries(p.wants.map((name) => [name, outputs[name as 'out' | 'lse']]));
}
