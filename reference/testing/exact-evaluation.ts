/**
 * Attention and its gradients from spec/attention.md alone: every element in an interval that holds
 * the exact real number, as narrow as asked for.
 *
 * It shares no code with the kernels, the ladder or the definition (attention.ts, gradients.ts):
 * dense loops, each line an equation, over binary numbers of any size (binary.ts). Dot products and,
 * without softcap, scores and their differences are exact, so that nothing cancels before the
 * exponential. For small cases.
 * @module
 */
import type { AttentionCase, InputName, OutputName } from '../case/case.ts';
import {
  type Binary,
  binary,
  compare,
  type Interval,
  intervals,
  isZero,
  negative,
  ONE,
  plus,
  point,
  times,
  top,
  ZERO,
} from './binary.ts';
import { exactMerge } from './exact-merge.ts';

/** By flat position, row-major; null is the −∞ of an empty row. */
export type ExactOutputs = Partial<Record<OutputName, (Interval | null)[]>>;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const sumExactly = (list: readonly Binary[]): Binary => list.reduce(plus, ZERO);

/** What the equations read, by index. Whatever is not finite is at keys that nobody sees. spec (5f) */
function reader({ parameters: p, inputs }: AttentionCase) {
  const read = (name: InputName, ...index: number[]): number =>
    inputs[name]?.get(...index) ?? Number.NaN;
  const real = (name: InputName, ...index: number[]): Binary => {
    const value = read(name, ...index);
    return Number.isFinite(value) ? binary(value) : ZERO;
  };
  /** At [b, h, i, j] of what broadcasts to four axes. */
  const spread = (name: InputName, index: readonly number[]): number => {
    const shape = inputs[name]?.shape ?? [];
    const skip = 4 - shape.length;
    return read(name, ...shape.map((size, axis) => (size === 1 ? 0 : (index[axis + skip] ?? 0))));
  };
  const has = (name: InputName): boolean => inputs[name] !== undefined;
  /** spec (1) */
  const group = (h: number): number => Math.floor((h * p.kv_heads) / p.heads);
  /** spec (24) */
  const recomputed = (w: 'w_k' | 'w_v', width: number, [b, g, j, c]: readonly number[]): Binary =>
    sumExactly(
      numbers(p.dim_y ?? 0).map((e) =>
        times(real('y', b ?? 0, j ?? 0, e), real(w, e, (g ?? 0) * width + (c ?? 0))),
      ),
    );
  const table = (name: 'k' | 'v', w: 'w_k' | 'w_v', width: number): Binary[] =>
    numbers(p.batch * p.kv_heads * p.seq_kv * width).map((flat) => {
      const [line, c] = [Math.floor(flat / width), flat % width];
      const [head, j] = [Math.floor(line / p.seq_kv), line % p.seq_kv];
      const index = [Math.floor(head / p.kv_heads), head % p.kv_heads, j, c] as const;
      return p.dim_y === undefined ? real(name, ...index) : recomputed(w, width, index);
    });
  const [keys, values] = [table('k', 'w_k', p.head_dim), table('v', 'w_v', p.head_dim_v)];
  const at = (list: Binary[], width: number, [b, g, j, c]: [number, number, number, number]) =>
    list[((b * p.kv_heads + g) * p.seq_kv + j) * width + c] ?? ZERO;
  const k = (...index: [number, number, number, number]) => at(keys, p.head_dim, index);
  const v = (...index: [number, number, number, number]) => at(values, p.head_dim_v, index);
  return { p, read, real, spread, has, group, k, v };
}
type Reader = ReturnType<typeof reader>;

/** spec (5) */
function sees({ p, read, spread, has }: Reader, index: [number, number, number, number]): boolean {
  const [b, , i, j] = index;
  const off = p.causal === 'bottom-right' ? p.seq_kv - p.seq_q : 0;
  if (has('mask') && spread('mask', index) !== 1) return false; // (5a)
  if (has('bias') && spread('bias', index) === Number.NEGATIVE_INFINITY) return false; // (5h)
  if (has('kv_lengths') && j >= read('kv_lengths', b)) return false; // (5b)
  if (p.causal !== 'none' && j > i + off) return false; // (5c)
  if (p.window !== null) {
    const [left, right] = p.window; // (5d)
    if (left !== -1 && j < i + off - left) return false;
    if (right !== -1 && j > i + off + right) return false;
  }
  if (p.media === null) return true;
  const [text, key] = [read('media_text', b, i), read('media_key', b, j)];
  return p.media === 'immediate' ? text === key : text >= key; // (5e)
}

/** c·tanh(x/c) and 1 − tanh²(x/c), the first within 2^−bits absolutely as well. spec (3), (14) */
function softcapped(raw: Binary, c: Binary, bits: number): { capped: Interval; slope: Interval } {
  if (isZero(raw)) return { capped: point(ZERO), slope: point(ONE) };
  const width = bits + 64 + Math.max(0, top(c));
  const { add, sub, mul, div, exp, neg } = intervals(width + Math.ceil(width / 4) + 8);
  const sign = raw.m < 0n;
  const x = div(point(sign ? negative(raw) : raw), point(c));
  const [one, two] = [point(ONE), point({ m: 2n, e: 0 })];
  const whole = (n: number): Interval => point(binary(n));
  let [t, slope]: [Interval, Interval] = [one, one];
  if (top(x.hi) < -Math.ceil(width / 4)) {
    // x − x³/3 ≤ tanh x ≤ x − x³/3 + 2x⁵/15, and 1 − x² ≤ 1 − tanh² x ≤ 1.
    const square = mul(x, x);
    const cube = mul(square, x);
    const lower = sub(x, div(cube, whole(3)));
    t = { lo: lower.lo, hi: add(lower, div(mul(whole(2), mul(cube, square)), whole(15))).hi };
    slope = { lo: sub(one, square).lo, hi: ONE };
  } else {
    const e = exp(neg(mul(two, x))); // tanh x = (1 − e)/(1 + e), 1 − tanh² x = 4e/(1 + e)²
    t = div(sub(one, e), add(one, e));
    slope = div(mul(whole(4), e), mul(add(one, e), add(one, e)));
  }
  return { capped: mul(point(sign ? negative(c) : c), t), slope };
}

/** What enters a row's softmax: a visible key, or the sink (j = null). */
interface Logit {
  readonly j: number | null;
  readonly raw: Binary;
  readonly bias: Binary;
  readonly capped: Interval;
  readonly slope: Interval;
  /** capped + bias; exact without softcap. */
  readonly s: Interval;
}

type RowIndex = readonly [b: number, h: number, i: number];

/** Enough for sums of float64 numbers of any size to be as exact as their terms. */
const WIDE = 2200;

/** spec (2)-(6): the visible keys, then the sink where there is one. */
function logits(r: Reader, [b, h, i]: RowIndex, bits: number): Logit[] {
  const { p } = r;
  const { add } = intervals(bits + WIDE);
  const plain = (j: number | null, raw: Binary, bias: Binary): Logit => {
    const [capped, s] = [point(raw), point(plus(raw, bias))];
    return { j, raw, bias, capped, slope: point(ONE), s };
  };
  const keys = numbers(p.seq_kv).flatMap((j): Logit[] => {
    if (!sees(r, [b, h, i, j])) return [];
    const products = numbers(p.head_dim).map((c) =>
      times(r.real('q', b, h, i, c), r.k(b, r.group(h), j, c)),
    );
    const raw = times(binary(p.scale), sumExactly(products)); // (2)
    const bias = r.has('bias') ? binary(r.spread('bias', [b, h, i, j])) : ZERO;
    if (p.softcap === 0) return [plain(j, raw, bias)];
    const { capped, slope } = softcapped(raw, binary(p.softcap), bits); // (3)
    return [{ j, raw, bias, capped, slope, s: add(capped, point(bias)) }]; // (4)
  });
  return r.has('sink') ? [...keys, plain(null, ZERO, r.real('sink', h))] : keys;
}

/** a − b, exactly where no tanh is in it or the same one twice. */
function difference(a: Logit, b: Logit, softcap: number, bits: number): Interval {
  if (compare(a.raw, b.raw) === 0) return point(plus(a.bias, negative(b.bias)));
  if (softcap === 0) return point(plus(a.s.lo, negative(b.s.lo)));
  const { add, sub } = intervals(bits + WIDE);
  return add(sub(a.capped, b.capped), point(plus(a.bias, negative(b.bias))));
}

/** What a row comes to; null is a row without keys and sink. */
interface RowSums {
  readonly keys: readonly { readonly logit: Logit; readonly j: number; readonly P: Interval }[];
  readonly sink: Interval | null;
  readonly lse: Interval;
}

/** spec (6), (7): e^(s − LSE) is e^(s − m)/l with l = Σ e^(s − m), for any m; here a largest s. */
function rowSums(r: Reader, at: RowIndex, bits: number): RowSums | null {
  const { add, div, exp, log, sum } = intervals(bits);
  const all = logits(r, at, bits);
  const [first, ...rest] = all;
  if (first === undefined) return null;
  const most = rest.reduce((best, one) => (compare(one.s.lo, best.s.lo) > 0 ? one : best), first);
  const weights = all.map((one) => exp(difference(one, most, r.p.softcap, bits)));
  const l = sum(weights);
  const shares = all.map((logit, n) => ({ logit, P: div(weights[n] ?? point(ZERO), l) }));
  return {
    keys: shares.flatMap(({ logit, P }) => (logit.j === null ? [] : [{ logit, j: logit.j, P }])),
    sink: shares.find(({ logit }) => logit.j === null)?.P ?? null,
    lse: add(most.s, log(l)),
  };
}

/** Intervals summed up by index, of one output. */
class Sums {
  readonly #shape: readonly number[];
  readonly #add: (a: Interval, b: Interval) => Interval;
  readonly list: (Interval | null)[];
  constructor(shape: readonly number[], add: (a: Interval, b: Interval) => Interval) {
    this.#shape = shape;
    this.#add = add;
    const count = shape.reduce((a, b) => a * b, 1);
    this.list = Array.from({ length: count }, () => point(ZERO));
  }
  #flat(index: readonly number[]): number {
    return this.#shape.reduce((flat, size, axis) => flat * size + (index[axis] ?? 0), 0);
  }
  get(...index: number[]): Interval {
    return this.list[this.#flat(index)] ?? point(ZERO);
  }
  add(value: Interval, ...index: number[]): void {
    this.list[this.#flat(index)] = this.#add(this.get(...index), value);
  }
  /** spec (17) */
  addBroadcast(value: Interval, index: readonly number[]): void {
    const skip = index.length - this.#shape.length;
    this.add(
      value,
      ...this.#shape.map((size, axis) => (size === 1 ? 0 : (index[axis + skip] ?? 0))),
    );
  }
  setEmpty(...index: number[]): void {
    this.list[this.#flat(index)] = null;
  }
}

function allSums({ p }: Reader, { inputs }: AttentionCase, bits: number) {
  const { add } = intervals(bits);
  const of = (...shape: number[]): Sums => new Sums(shape, add);
  return {
    out: of(p.batch, p.heads, p.seq_q, p.head_dim_v),
    lse: of(p.batch, p.heads, p.seq_q),
    d_q: of(p.batch, p.heads, p.seq_q, p.head_dim),
    d_k: of(p.batch, p.kv_heads, p.seq_kv, p.head_dim),
    d_v: of(p.batch, p.kv_heads, p.seq_kv, p.head_dim_v),
    d_bias: of(...(inputs.bias?.shape ?? [])),
    d_sink: of(p.heads),
    d_y: of(p.batch, p.seq_kv, p.dim_y ?? 0),
    d_w_k: of(p.dim_y ?? 0, p.kv_heads * p.head_dim),
    d_w_v: of(p.dim_y ?? 0, p.kv_heads * p.head_dim_v),
  };
}
type AllSums = ReturnType<typeof allSums>;

/** Everything that a pass over the case goes through. */
interface Pass {
  readonly r: Reader;
  readonly bits: number;
  readonly of: ReturnType<typeof intervals>;
  readonly sums: AllSums;
  /** κ of spec (8). */
  readonly kappa: (b: number, h: number, i: number, j: number) => Interval;
}

function newPass(c: AttentionCase, bits: number): Pass {
  const [r, of] = [reader(c), intervals(bits)];
  const kept = of.div(point(ONE), point(plus(ONE, negative(binary(r.p.dropout_rate)))));
  const kappa = (...index: [number, number, number, number]): Interval => {
    if (!r.has('dropout_keep')) return point(ONE);
    return r.spread('dropout_keep', index) === 0 ? point(ZERO) : kept;
  };
  return { r, bits, of, sums: allSums(r, c, bits), kappa };
}

/** spec (8), and what one row adds to every gradient. */
function addRow({ r, of, sums, kappa }: Pass, at: RowIndex, row: RowSums): void {
  const { add, mul, sub, sum } = of;
  const [b, h, i] = at;
  const g = r.group(h);
  const [valueWidth, keyWidth] = [numbers(r.p.head_dim_v), numbers(r.p.head_dim)];
  const share = (j: number, P: Interval): Interval => mul(kappa(b, h, i, j), P);
  for (const { j, P } of row.keys) {
    for (const c of valueWidth) sums.out.add(mul(share(j, P), point(r.v(b, g, j, c))), ...at, c);
  }
  if (!r.has('d_out')) return;
  const dOut = (c: number): Binary => r.real('d_out', b, h, i, c);
  const D = sum(valueWidth.map((c) => mul(point(dOut(c)), sums.out.get(...at, c)))); // (12)
  const dLse = point(r.has('d_lse') ? r.real('d_lse', b, h, i) : ZERO);
  for (const { j, P, logit } of row.keys) {
    for (const c of valueWidth) sums.d_v.add(mul(share(j, P), point(dOut(c))), b, g, j, c); // (10)
    const dot = sumExactly(valueWidth.map((c) => times(dOut(c), r.v(b, g, j, c))));
    const G = mul(kappa(b, h, i, j), point(dot)); // (11)
    const dS = mul(P, add(sub(G, D), dLse)); // (13)
    sums.d_bias.addBroadcast(dS, [b, h, i, j]); // (17)
    const scaled = mul(point(binary(r.p.scale)), mul(dS, logit.slope)); // (14)
    for (const c of keyWidth) {
      sums.d_q.add(mul(scaled, point(r.k(b, g, j, c))), ...at, c); // (15)
      sums.d_k.add(mul(scaled, point(r.real('q', b, h, i, c))), b, g, j, c); // (16)
    }
  }
  if (row.sink !== null) sums.d_sink.add(mul(row.sink, sub(dLse, D)), h); // (18)
}

/** spec (25), (26) */
function addFeatures({ r, of, sums }: Pass): void {
  const { p } = r;
  const chains = [
    ['w_k', sums.d_k, sums.d_w_k, p.head_dim],
    ['w_v', sums.d_v, sums.d_w_v, p.head_dim_v],
  ] as const;
  for (const b of numbers(p.batch)) {
    for (const j of numbers(p.seq_kv)) {
      for (const e of numbers(p.dim_y ?? 0)) {
        for (const [w, dX, dW, width] of chains) {
          for (const column of numbers(p.kv_heads * width)) {
            const gradient = dX.get(b, Math.floor(column / width), j, column % width);
            sums.d_y.add(of.mul(gradient, point(r.real(w, e, column))), b, j, e);
            dW.add(of.mul(point(r.real('y', b, j, e)), gradient), e, column);
          }
        }
      }
    }
  }
}

/** Every wanted output, each operation rounded outward at so many bits. */
export function exactEvaluation(attentionCase: AttentionCase, bits: number): ExactOutputs {
  if (attentionCase.parameters.op === 'merge') return exactMerge(attentionCase, bits);
  const pass = newPass(attentionCase, bits);
  const { p } = pass.r;
  for (const b of numbers(p.batch)) {
    for (const h of numbers(p.heads)) {
      for (const i of numbers(p.seq_q)) {
        const row = rowSums(pass.r, [b, h, i], bits);
        if (row === null)
          pass.sums.lse.setEmpty(b, h, i); // (9)
        else {
          pass.sums.lse.add(row.lse, b, h, i);
          addRow(pass, [b, h, i], row);
        }
      }
    }
  }
  addFeatures(pass);
  return Object.fromEntries(p.wants.map((name) => [name, pass.sums[name].list]));
}
