/**
 * A row of a large case in magnitudes that hold for each of its keys, and in sums that its weights
 * make of them: all that its bounds need, without going through its pairs. spec/bounds.md §10
 * @module
 */

import type { AttentionCase } from '../../case/case.ts';
import { kvHead } from '../../case/heads.ts';
import type { Certified, Sized } from '../../kernels/float64/certify.ts';
import { entry, nth } from '../../numbers/nth.ts';
import { SLACK } from '../lemmas/error-model.ts';
import { largestInput } from '../range/range-limits.ts';
import type { Largest, LargestInputs } from './largest.ts';
import { type BiasSplit, biasSplits } from './mask-bias.ts';
import { type Run, weightedKeys } from './weighted.ts';

export interface RowFacts {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  /** Keys that it sees, at most. */
  readonly count: number;
  /** Largest over its keys: Σ|q||k|, Σ(|q| + |k|), |raw|, |c·tanh|, |s|, |s − LSE|; and |q|, [d]. */
  readonly products: number;
  readonly sizes: number;
  readonly raw: number;
  readonly capped: number;
  readonly score: number;
  readonly fromLse: number;
  readonly query: Float64Array;
  /** |LSE|; the sink's |s| and |s − LSE|, null without one; largest |bias|, null without. */
  readonly lse: number;
  readonly sink: { readonly score: number; readonly fromLse: number } | null;
  readonly bias: number | null;
  /** How its biases may be told into those of masked keys and others. */
  readonly splits: readonly BiasSplit[];
  /** κ; largest Σ|dO||V|, Σ|V|; Σ|dO|; |D|, |dLSE|, Σ|dO||O|, Σ|O|. */
  readonly kappa: number;
  readonly gProducts: number;
  readonly valueSum: number;
  readonly cotangentSum: number;
  readonly d: number;
  readonly dLse: number;
  readonly dProducts: number;
  readonly outSum: number;
  /** |dO|, and |O| at most, [dv]. */
  readonly dOut: Float64Array;
  readonly out: Float64Array;
  /** Σ_j κP|V_jc|, [dv]; Σ_j P|K_jc|, [d], null without dQ; and the largest V and K of its head. */
  readonly values: Float64Array;
  readonly keys: Float64Array | null;
  readonly largestValue: Largest;
  readonly largestKey: Largest;
}

/** Keys that a row may see at most, by lengths, causality and window. */
function visibleAtMost({ parameters: p, inputs }: AttentionCase, b: number, i: number): number {
  const offset = p.causal === 'bottom-right' ? p.seq_kv - p.seq_q : 0;
  let most = Math.min(p.seq_kv, inputs.kv_lengths?.get(b) ?? p.seq_kv);
  if (p.causal !== 'none') most = Math.min(most, i + offset + 1);
  if (p.window !== null && p.window[0] >= 0 && p.window[1] >= 0) {
    most = Math.min(most, p.window[0] + p.window[1] + 1);
  }
  return Math.max(0, most);
}

/** What is the same for every row, or for every row of a head. */
interface Setting {
  readonly attentionCase: AttentionCase;
  readonly certified: Certified;
  readonly rows: readonly number[];
  readonly largest: LargestInputs;
  readonly weightedValues: Float64Array;
  readonly weightedKeys: Float64Array | null;
  readonly bias: number | null;
  readonly splits: readonly BiasSplit[];
  readonly kappa: number;
}

export const sumOf = (x: Float64Array): number => x.reduce((sum, one) => sum + one, 0);
export const dot = (x: Float64Array, y: Float64Array): number =>
  x.reduce((sum, one, n) => sum + one * nth(y, n), 0);

/** Σ|a||b_j| at most: by the largest components, or by Cauchy and Schwarz. */
const product = (a: Float64Array, largest: Largest): number =>
  Math.min(dot(a, largest.columns), Math.sqrt(dot(a, a)) * largest.norm) * SLACK;

/** The n-th row of head (b, h). */
function rowFacts(s: Setting, b: number, h: number, n: number): RowFacts | null {
  const { parameters: p, inputs } = s.attentionCase;
  const [i, head] = [entry(s.rows, n), b * p.kv_heads + kvHead(p, h)];
  const row = (b * p.heads + h) * s.rows.length + n;
  const lse = { mid: s.certified.lse?.mid.data[row], radius: s.certified.lse?.radius.data[row] };
  const [mid = Number.NaN, radius = Number.NaN] = [lse.mid, lse.radius];
  if (mid === Number.NEGATIVE_INFINITY && radius === 0) return null; // spec (9)
  const [keys, values] = [s.largest.keys[head], s.largest.values[head]];
  if (keys === undefined || values === undefined) throw new Error('no such KV head');
  const { q, d_out: dOut, d_lse: dLse, sink } = inputs;
  const query = Float64Array.from({ length: p.head_dim }, (_, c) =>
    Math.abs(q?.get(b, h, i, c) ?? 0),
  );
  const cotangent = Float64Array.from(
    { length: p.head_dim_v },
    (_, c) => dOut?.get(b, h, i, c) ?? 0,
  );
  const dv = p.head_dim_v;
  const mids = Float64Array.from(
    { length: dv },
    (_, c) => s.certified.out?.mid.data[row * dv + c] ?? 0,
  );
  const radii = mids.map((_, c) => s.certified.out?.radius.data[row * dv + c] ?? 0);
  const out = mids.map((x, c) => Math.abs(x) + nth(radii, c));
  const products = product(query, keys);
  const raw = Math.abs(p.scale) * products * SLACK;
  const capped = p.softcap === 0 ? raw : Math.min(p.softcap, raw);
  const score = (capped + (s.bias ?? 0)) * SLACK;
  // No score exceeds the LSE, so |s − LSE| = LSE − s.
  const below = (size: number): number => Math.max(0, mid + radius + size) * SLACK;
  const ofSink = Math.abs(sink?.get(h) ?? 0);
  const sizes = cotangent.map(Math.abs);
  const dProducts = dot(sizes, out) * SLACK;
  const part = (x: Float64Array, width: number) => x.subarray(row * width, (row + 1) * width);
  return {
    ...{ b, h, i, count: visibleAtMost(s.attentionCase, b, i) },
    ...{ products, sizes: sumOf(query) + keys.sum, raw, capped, score, query },
    ...{ fromLse: below(score), lse: Math.abs(mid) + radius, bias: s.bias, kappa: s.kappa },
    splits: s.splits,
    sink: sink === undefined ? null : { score: ofSink, fromLse: below(ofSink) },
    gProducts: product(sizes, values),
    valueSum: values.sum,
    cotangentSum: sumOf(sizes),
    d: Math.abs(dot(cotangent, mids)) + dot(sizes, radii) + 2 ** -45 * dProducts,
    dLse: Math.abs(dLse?.get(b, h, i) ?? 0),
    ...{ dProducts, outSum: sumOf(out), dOut: sizes, out },
    values: part(s.weightedValues, dv),
    keys: s.weightedKeys === null ? null : part(s.weightedKeys, p.head_dim),
    ...{ largestValue: values, largestKey: keys },
  };
}

/**
 * The facts of the rows of every head, [B, Hq, rows]; null for a row that attends to nothing.
 * `sized` holds their out and lse.
 */
export function factsOf(
  attentionCase: AttentionCase,
  { certified, valueSizes }: Sized,
  largest: LargestInputs,
  run: Run,
): (RowFacts | null)[] {
  const { parameters: p, inputs } = attentionCase;
  const rows = run.rows ?? Array.from({ length: p.seq_q }, (_, i) => i);
  const setting: Setting = {
    ...{ attentionCase, certified, rows, largest, weightedValues: valueSizes },
    weightedKeys: p.wants.includes('d_q') ? weightedKeys(attentionCase, run) : null,
    bias: inputs.bias === undefined ? null : largestInput(inputs.bias),
    splits: inputs.bias === undefined ? [] : biasSplits(inputs.bias),
    kappa: inputs.dropout_keep === undefined ? 1 : (1 / (1 - p.dropout_rate)) * SLACK,
  };
  const facts: (RowFacts | null)[] = [];
  for (let b = 0; b < p.batch; b++) {
    for (let h = 0; h < p.heads; h++) {
      for (let n = 0; n < rows.length; n++) facts.push(rowFacts(setting, b, h, n));
    }
  }
  return facts;
}
