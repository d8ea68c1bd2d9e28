/**
 * How far a weighted sum of errors, F = Σ w·(got − exact), of an honest half-precision program may be from zero:
 * the sum of squares of what each rounding to half moves it by, and what is not of mean zero. spec/bounds.md §11
 *
 * To first order F = Σ c_k δ_k over the run's roundings, and one backward pass with cotangent w has all c_k.
 * @module
 */
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { ulp } from '../../reference/numbers/format.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { add, type Dense, type DenseHead, dot, type FunctionalOutput } from './dense.ts';

export interface Noise {
  /** Σ (c_k h_k)², h_k the largest that rounding k may be. */
  variance: number;
  /** What roundings in f32 and elementary functions may add with one sign. */
  drift: number;
}

/** Roundoff of f32 sums that truncate. */
const U_SUM = 2 ** -23;

const square = (x: number): number => x * x;

/** Half a step of the half format at x. */
const halfStep = (format: 'f16' | 'bf16', x: number): number => ulp(format, x) / 2;

interface Pass {
  readonly dense: Dense;
  readonly profile: Profile;
  readonly format: 'f16' | 'bf16';
  readonly output: FunctionalOutput;
  readonly w: Float64Array;
  /** Half the smallest subnormal of the operands' format. */
  readonly eta: number;
  readonly noise: Noise;
  /** What a scaled and rounded Q or K would move F by, for each significand; null where none is. */
  readonly scaled: { readonly q: Map<number, number>; readonly k: Map<number, number> } | null;
}

/** The significand of x with its leading bit at one: numbers with the same are rounded alike. */
const significand = (x: number): number => (x === 0 ? 0 : Math.abs(x) / (ulp('f64', x) * 2 ** 52));

/** scale·(w^Q_i·K_j + Q_i·w^K_j) of every pair of a row. */
function scoreWeights({ dense, output, w }: Pass, head: DenseHead, i: number): Float64Array | null {
  const { parameters: p, q, k } = dense;
  if (output !== 'd_q' && output !== 'd_k') return null;
  const at = head.at.q + i * p.head_dim;
  const found = new Float64Array(p.seq_kv);
  for (let j = 0; j < p.seq_kv; j++) {
    const key = head.at.k + j * p.head_dim;
    found[j] =
      p.scale *
      (output === 'd_q' ? dot(w, at, k, key, p.head_dim) : dot(q, at, w, key, p.head_dim));
  }
  return found;
}

/** r_i: what a change of O_i moves F by, itself or through D. */
function outWeights(pass: Pass, head: DenseHead, i: number, b: Float64Array | null) {
  const { dense, output, w } = pass;
  const { parameters: p, dOut } = dense;
  const at = head.at.out + i * p.head_dim_v;
  const r = new Float64Array(p.head_dim_v);
  if (output === 'out') r.set(w.subarray(at, at + p.head_dim_v));
  let bar = 0;
  for (let j = 0; b !== null && j < p.seq_kv; j++) {
    const n = i * p.seq_kv + j;
    bar -= nth(head.p, n) * nth(b, j) * nth(head.slope, n);
  }
  add(r, 0, bar, dOut, at, p.head_dim_v);
  return { r, bar };
}

/** What the roundings of one row's O move F by: its storage, and its sum. */
function addOut({ dense, format, noise }: Pass, head: DenseHead, i: number, r: Float64Array) {
  const { parameters: p, exact, v } = dense;
  const at = head.at.out + i * p.head_dim_v;
  const sizes = new Float64Array(p.head_dim_v);
  for (let j = 0; j < p.seq_kv; j++) {
    const weight = nth(head.weight, i * p.seq_kv + j);
    for (let e = 0; weight > 0 && e < p.head_dim_v; e++) {
      sizes[e] = nth(sizes, e) + weight * Math.abs(nth(v, head.at.v + j * p.head_dim_v + e));
    }
  }
  for (let e = 0; e < p.head_dim_v; e++) {
    const [x, c] = [nth(exact.out, at + e), nth(r, e)];
    // D may come from the sum before it is stored, so only of `out` this is certain; it is granted anyway.
    noise.variance += square(c * halfStep(format, x));
    noise.variance += 3 * square((p.seq_kv + 8) * U_SUM * c * nth(sizes, e));
    noise.drift += (p.seq_kv + 8) * U_SUM * Math.abs(c * x);
  }
}

/** What the roundings of a pair move F by; how much a change of its score does. */
function addPair(
  pass: Pass,
  head: DenseHead,
  [i, j]: readonly [number, number],
  row: { r: Float64Array; bar: number; rO: number; b: number },
): { forward: number; backward: number } {
  const { dense, profile, format, output, w, eta, noise } = pass;
  const { parameters: p, v, dOut } = dense;
  const n = i * p.seq_kv + j;
  const [P, kP, f] = [nth(head.p, n), nth(head.weight, n), nth(head.slope, n)];
  const at = head.at.out + i * p.head_dim_v;
  const valueAt = head.at.v + j * p.head_dim_v;
  const rV = dot(row.r, 0, v, valueAt, p.head_dim_v);
  const wV = output === 'd_v' ? dot(dOut, at, w, valueAt, p.head_dim_v) : 0;
  const u = profile.probabilities;
  const own = halfStep(format, kP);
  const bracket = P === 0 ? 0 : nth(head.dS, n) / P;
  const hP = Math.max(u * kP, eta * nth(head.top, i) * (kP / P));
  const hS = Math.max(u * Math.abs(nth(head.dRaw, n)), eta * Math.max(1, 1 / Math.abs(p.scale)));
  noise.variance += square(hP * rV) + square(own * wV) + square(hS * row.b);
  // P rounded before P∘(G − D), and before D = Σ P∘G.
  noise.variance += square(halfStep(format, P) * bracket * row.b * f);
  noise.variance += square(halfStep(format, P) * row.bar * nth(head.g, n));
  // The slope 1 − t² of a tanh that is off.
  if (p.softcap > 0) noise.drift += 2 * profile.tanh * Math.abs(nth(head.dS, n) * row.b);
  // G = dO·V in f32.
  let sizes = 0;
  for (let e = 0; e < p.head_dim_v; e++) sizes += Math.abs(nth(dOut, at + e) * nth(v, valueAt + e));
  noise.variance += 3 * square(P * row.b * f * (p.head_dim_v + 4) * U_SUM * sizes);
  return {
    forward: kP * rV - P * row.rO,
    backward: nth(head.dS, n) * row.b * f + kP * wV,
  };
}

/** What the roundings of a pair's score, and its exponential, move F by. */
function addScore(pass: Pass, head: DenseHead, [i, j]: readonly [number, number], c: number): void {
  const { dense, profile, noise } = pass;
  const { parameters: p, q, k } = dense;
  const n = i * p.seq_kv + j;
  const [qAt, kAt] = [head.at.q + i * p.head_dim, head.at.k + j * p.head_dim];
  let sizes = 0;
  for (let e = 0; e < p.head_dim; e++) sizes += Math.abs(nth(q, qAt + e) * nth(k, kAt + e));
  const score = Math.abs(nth(head.below, n)) + Math.abs(nth(head.lse, i));
  const tau = U_SUM * ((p.head_dim + 4) * Math.abs(p.scale) * sizes + score + 4);
  noise.variance += 3 * square(c * tau);
  const exponential = (8 + 4 * Math.abs(nth(head.below, n))) * profile.exponential;
  noise.drift += Math.abs(c) * (exponential + (p.softcap > 0 ? 3 * p.softcap * profile.tanh : 0));
}

/** What a scaled Q or K, rounded to half, would move F by, of one pair: through its score, and in dK or dQ. */
function addScaled(
  pass: Pass,
  head: DenseHead,
  [i, j]: readonly [number, number],
  c: number,
): void {
  const { dense, output, w, scaled } = pass;
  if (scaled === null) return;
  const { parameters: p, q, k } = dense;
  const n = i * p.seq_kv + j;
  const [qAt, kAt] = [head.at.q + i * p.head_dim, head.at.k + j * p.head_dim];
  const [moved, raw] = [p.scale * c * nth(head.slope, n), p.scale * nth(head.dRaw, n)];
  for (let e = 0; e < p.head_dim; e++) {
    const [x, y] = [nth(q, qAt + e), nth(k, kAt + e)];
    const ofQ = moved * x * y + (output === 'd_k' ? raw * x * nth(w, kAt + e) : 0);
    const ofK = moved * x * y + (output === 'd_q' ? raw * y * nth(w, qAt + e) : 0);
    const [a, b] = [significand(x), significand(y)];
    scaled.q.set(a, (scaled.q.get(a) ?? 0) + ofQ);
    scaled.k.set(b, (scaled.k.get(b) ?? 0) + ofK);
  }
}

function addRow(pass: Pass, head: DenseHead, i: number): void {
  const { dense, noise } = pass;
  const { parameters: p, exact, dOut } = dense;
  const at = head.at.out + i * p.head_dim_v;
  const b = scoreWeights(pass, head, i);
  const { r, bar } = outWeights(pass, head, i, b);
  const rO = dot(r, 0, exact.out, at, p.head_dim_v);
  let [moved, ofD] = [0, 0];
  for (let j = 0; j < p.seq_kv; j++) {
    if (nth(head.p, i * p.seq_kv + j) === 0) continue;
    const row = { r, bar, rO, b: b === null ? 0 : nth(b, j) };
    const { forward, backward } = addPair(pass, head, [i, j], row);
    addScore(pass, head, [i, j], forward + backward);
    addScaled(pass, head, [i, j], forward + backward);
    moved += backward;
  }
  addOut(pass, head, i, r);
  for (let e = 0; e < p.head_dim_v; e++)
    ofD += Math.abs(nth(dOut, at + e) * nth(exact.out, at + e));
  noise.drift += Math.abs(bar) * (p.head_dim_v + 4) * U_SUM * ofD;
  // The sum that all of a row's P are divided by.
  noise.drift += Math.abs(moved) * U_SUM * (p.seq_kv + 8 + Math.abs(nth(head.lse, i)));
}

/** Sizes of what the sums of a gradient add up, and of each query head's part of them. */
function sizesOf({ parameters: p, q, k, dOut, heads, exact }: Dense, output: FunctionalOutput) {
  const sizes = new Float64Array(exact[output].length);
  const positive = (x: Float64Array): Float64Array => x.map(Math.abs);
  const [Q, K, G] = [positive(q), positive(k), positive(dOut)];
  for (const head of heads) {
    for (let n = 0; n < head.p.length; n++) {
      const [i, j] = [Math.floor(n / p.seq_kv), n % p.seq_kv];
      const factor = Math.abs(p.scale * nth(head.dRaw, n));
      const [qAt, kAt] = [head.at.q + i * p.head_dim, head.at.k + j * p.head_dim];
      if (output === 'd_q') add(sizes, qAt, factor, K, kAt, p.head_dim);
      else if (output === 'd_k') add(sizes, kAt, factor, Q, qAt, p.head_dim);
      else {
        const [vAt, out] = [head.at.v + j * p.head_dim_v, head.at.out + i * p.head_dim_v];
        add(sizes, vAt, nth(head.weight, n), G, out, p.head_dim_v);
      }
    }
  }
  return sizes;
}

/** What the sums of a gradient and its storage move F by; dK and dV of each query head may be stored first. */
function addGradient(pass: Pass): void {
  const { dense, format, output, w, noise, profile } = pass;
  if (output === 'out') return;
  const { parameters: p, exact } = dense;
  const sizes = sizesOf(dense, output);
  const grouped = output !== 'd_q' && p.heads > p.kv_heads;
  const terms = output === 'd_q' ? p.seq_kv : (p.seq_q * p.heads) / p.kv_heads;
  exact[output].forEach((x, n) => {
    const c = nth(w, n);
    noise.variance += square(c * halfStep(format, x));
    if (grouped) noise.variance += square(c * profile.output * nth(sizes, n));
    noise.variance += 3 * square((terms + 8) * U_SUM * c * nth(sizes, n));
    noise.drift += (terms + 8) * U_SUM * Math.abs(c * x);
  });
}

/** The noise of F = Σ w·(got − exact) of one output, at a half profile. */
export function noiseOf(
  dense: Dense,
  profile: Profile,
  output: FunctionalOutput,
  w: Float64Array,
): Noise {
  const format = profile.base === 'f16' ? 'f16' : 'bf16';
  const noise = { variance: 0, drift: 0 };
  const scaled =
    profile.scaledOperand > 0
      ? { q: new Map<number, number>(), k: new Map<number, number>() }
      : null;
  const eta = format === 'f16' ? profile.operandTiny : 0;
  const pass: Pass = { ...{ dense, profile, format, output, w, eta, noise }, scaled };
  for (const head of dense.heads) {
    for (let i = 0; i < dense.parameters.seq_q; i++) addRow(pass, head, i);
  }
  addGradient(pass);
  // Up to two roundings of each factor, the same for the same digits.
  for (const sums of [scaled?.q, scaled?.k]) {
    for (const sum of sums?.values() ?? []) noise.variance += square(2 * profile.operand * sum);
  }
  return noise;
}
