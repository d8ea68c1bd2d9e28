/**
 * A whole case in float64, pair by pair: what functionals are made of. spec (1)-(16)
 *
 * No radius: what float64 loses is some 2⁻²⁵ of what a half format does, and functionals grant 2⁻²³ of every size.
 * @module
 */
import type { AttentionCase, CaseParameters, InputName } from '../../reference/case/case.ts';
import { kvHead } from '../../reference/case/heads.ts';
import { visibility } from '../../reference/case/mask.ts';
import { exp, log, tanh } from '../../reference/numbers/float64.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { broadcastGet, toFlat } from '../../reference/numbers/tensor.ts';

/** One query head of one batch entry; arrays of rows × keys are zero where a key is not visible. */
export interface DenseHead {
  readonly h: number;
  /** Where its Q, dO and out, LSE begin; and those of its K, V. */
  readonly at: { readonly q: number; readonly out: number; readonly k: number; readonly v: number };
  readonly p: Float64Array;
  /** κP, s − max s and scale·q·k. */
  readonly weight: Float64Array;
  readonly below: Float64Array;
  readonly raw: Float64Array;
  /** 1 − tanh², 1 without softcap. */
  readonly slope: Float64Array;
  /** κ dO·V; P(G − D + dLSE); the same times the slope. */
  readonly g: Float64Array;
  readonly dS: Float64Array;
  readonly dRaw: Float64Array;
  /** Of each row: D, LSE, and the largest P. */
  readonly d: Float64Array;
  readonly lse: Float64Array;
  readonly top: Float64Array;
}

export type FunctionalOutput = 'out' | 'd_q' | 'd_k' | 'd_v';

export interface Dense {
  readonly parameters: CaseParameters;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  /** Zeros where the case has no gradients. */
  readonly dOut: Float64Array;
  readonly heads: readonly DenseHead[];
  /** In the layouts of the outputs. */
  readonly exact: Readonly<Record<FunctionalOutput, Float64Array>>;
}

export const dot = (
  a: Float64Array,
  at: number,
  b: Float64Array,
  from: number,
  width: number,
): number => {
  let sum = 0;
  for (let c = 0; c < width; c++) sum += nth(a, at + c) * nth(b, from + c);
  return sum;
};

/** to[at + c] += factor·x[from + c] */
export function add(
  to: Float64Array,
  at: number,
  factor: number,
  x: Float64Array,
  from: number,
  width: number,
): void {
  if (factor === 0) return;
  for (let c = 0; c < width; c++) to[at + c] = nth(to, at + c) + factor * nth(x, from + c);
}

function placesOf(p: CaseParameters, b: number, h: number): DenseHead['at'] {
  const [head, group] = [b * p.heads + h, b * p.kv_heads + kvHead(p, h)];
  return {
    q: head * p.seq_q * p.head_dim,
    out: head * p.seq_q * p.head_dim_v,
    k: group * p.seq_kv * p.head_dim,
    v: group * p.seq_kv * p.head_dim_v,
  };
}

/** Scores, slopes and weights of one row. */
function fillRow(
  c: AttentionCase,
  dense: Dense,
  head: DenseHead,
  [b, i]: readonly [number, number],
) {
  const { parameters: p, inputs } = c;
  const visible = visibility(c);
  const { h, at } = head;
  const s: number[] = [];
  let m = inputs.sink === undefined ? Number.NEGATIVE_INFINITY : inputs.sink.get(h);
  for (let j = 0; j < p.seq_kv; j++) {
    s[j] = Number.NEGATIVE_INFINITY;
    if (!visible(b, h, i, j)) continue;
    const n = i * p.seq_kv + j;
    const raw =
      p.scale * dot(dense.q, at.q + i * p.head_dim, dense.k, at.k + j * p.head_dim, p.head_dim);
    const t = p.softcap === 0 ? 0 : tanh(raw / p.softcap);
    head.raw[n] = raw;
    head.slope[n] = 1 - t * t;
    const bias = inputs.bias === undefined ? 0 : broadcastGet(inputs.bias, [b, h, i, j]);
    s[j] = (p.softcap === 0 ? raw : p.softcap * t) + bias;
    m = Math.max(m, s[j] ?? m);
  }
  if (m === Number.NEGATIVE_INFINITY) return;
  let l = inputs.sink === undefined ? 0 : exp(inputs.sink.get(h) - m);
  for (const x of s) if (x > Number.NEGATIVE_INFINITY) l += exp(x - m);
  head.lse[i] = m + log(l);
  const kept = inputs.dropout_keep;
  const factor = kept === undefined ? 1 : 1 / (1 - p.dropout_rate);
  for (const [j, x] of s.entries()) {
    if (x === Number.NEGATIVE_INFINITY) continue;
    const n = i * p.seq_kv + j;
    const kappa = kept === undefined || broadcastGet(kept, [b, h, i, j]) !== 0 ? factor : 0;
    head.below[n] = x - m;
    head.p[n] = exp(x - m) / l;
    head.weight[n] = kappa * nth(head.p, n);
    head.top[i] = Math.max(nth(head.top, i), nth(head.p, n));
  }
}

/** G, D, dS, and what the row adds to every output. */
function addRow(
  { parameters: p, ...dense }: Dense,
  head: DenseHead,
  i: number,
  dLse: number,
): void {
  const { exact } = dense;
  const [width, wide] = [p.head_dim, p.head_dim_v];
  const [q, out] = [head.at.q + i * width, head.at.out + i * wide];
  const pairs = Array.from({ length: p.seq_kv }, (_, j) => [j, i * p.seq_kv + j] as const).filter(
    ([, n]) => nth(head.p, n) > 0,
  );
  for (const [j, n] of pairs)
    add(exact.out, out, nth(head.weight, n), dense.v, head.at.v + j * wide, wide);
  const d = dot(dense.dOut, out, exact.out, out, wide);
  head.d[i] = d;
  for (const [j, n] of pairs) {
    const kappa = nth(head.weight, n) / nth(head.p, n);
    const g = kappa * dot(dense.dOut, out, dense.v, head.at.v + j * wide, wide);
    head.g[n] = g;
    head.dS[n] = nth(head.p, n) * (g - d + dLse);
    head.dRaw[n] = nth(head.dS, n) * nth(head.slope, n);
    const factor = p.scale * nth(head.dRaw, n);
    add(exact.d_q, q, factor, dense.k, head.at.k + j * width, width);
    add(exact.d_k, head.at.k + j * width, factor, dense.q, q, width);
    add(exact.d_v, head.at.v + j * wide, nth(head.weight, n), dense.dOut, out, wide);
  }
}

/** The case, pair by pair. Not of recomputed K and V. */
export function denseCase(c: AttentionCase): Dense {
  const { parameters: p, inputs } = c;
  const flat = (name: InputName, size: number): Float64Array => {
    const tensor = inputs[name];
    const all = tensor === undefined ? new Float64Array(size) : Float64Array.from(toFlat(tensor));
    return all.map((x) => (Number.isFinite(x) ? x : 0));
  };
  const sizes = {
    out: p.batch * p.heads * p.seq_q * p.head_dim_v,
    d_q: p.batch * p.heads * p.seq_q * p.head_dim,
    d_k: p.batch * p.kv_heads * p.seq_kv * p.head_dim,
    d_v: p.batch * p.kv_heads * p.seq_kv * p.head_dim_v,
  };
  const heads: DenseHead[] = [];
  const dense: Dense = {
    parameters: p,
    q: flat('q', sizes.d_q),
    k: flat('k', sizes.d_k),
    v: flat('v', sizes.d_v),
    dOut: flat('d_out', sizes.out),
    heads,
    exact: {
      out: new Float64Array(sizes.out),
      d_q: new Float64Array(sizes.d_q),
      d_k: new Float64Array(sizes.d_k),
      d_v: new Float64Array(sizes.d_v),
    },
  };
  const pairs = (): Float64Array => new Float64Array(p.seq_q * p.seq_kv);
  const rows = (): Float64Array => new Float64Array(p.seq_q);
  for (let n = 0; n < p.batch * p.heads; n++) {
    const [b, h] = [Math.floor(n / p.heads), n % p.heads];
    const head: DenseHead = {
      ...{ h, at: placesOf(p, b, h), p: pairs(), weight: pairs(), below: pairs(), raw: pairs() },
      ...{ slope: pairs(), g: pairs(), dS: pairs(), dRaw: pairs() },
      ...{ d: rows(), lse: rows(), top: rows() },
    };
    heads.push(head);
    for (let i = 0; i < p.seq_q; i++) {
      fillRow(c, dense, head, [b, i]);
      addRow(dense, head, i, inputs.d_lse?.get(b, h, i) ?? 0);
    }
  }
  return dense;
}
