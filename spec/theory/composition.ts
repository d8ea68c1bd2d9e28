/**
 * The bounds of a whole case, composed by the theorems: what AttentionBound.v, SigmoidBound.v, FarRows.v
 * and BackwardBound.v conclude of it, evaluated from statements/ with the least that their hypotheses ask for.
 *
 * Exact values are computed here in float64, from the inputs alone; nothing is taken from bounds.ts,
 * bounds-backward.ts, magnitudes.ts or the steps that these are made of. For composition.test.ts.
 * @module
 */

import type { CertifiedCase } from '../../reference/bounds/by-pair/certified.ts';
import type { ErrorModel } from '../../reference/bounds/lemmas/error-model.ts';
import type { OutputName } from '../../reference/case/case.ts';
import { exp, log, tanh } from '../../reference/numbers/float64.ts';
import { CoqStatements, type Value } from './coq-terms.ts';

const MODULES = [
  ...['Growth', 'SumAccuracy', 'DotAccuracy', 'ScoreAccuracy', 'AttentionAccuracy'],
  ...[
    'AttentionModel',
    'AttentionBound',
    'FarRows',
    'SigmoidMerge',
    'SigmoidBound',
    'BackwardModel',
    'BackwardBound',
    'Gradient',
    'StoredParts',
  ],
];

/** The statements that bounds are composed of, some of them `changed`. */
export function statements(changed: Readonly<Record<string, string>> = {}): CoqStatements {
  return new CoqStatements(MODULES, { exp, ln: log, tanh }, changed);
}

type Bounds = Map<OutputName, number[]>;
type Numbers = Readonly<Record<string, number>>;

/** A function of the theory: of a key, a component, a term, each by its number; found once. */
function over(f: (n: number) => number): Value {
  const once = known(f);
  return (n: Value) => once(Number(n));
}

function known(f: (n: number) => number): (n: number) => number {
  const found = new Map<number, number>();
  return (n) => {
    const value = found.get(n) ?? f(n);
    found.set(n, value);
    return value;
  };
}

const sum = (count: number, f: (n: number) => number): number => {
  let total = 0;
  for (let n = 0; n < count; n++) total += f(n);
  return total;
};
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** The record of BackwardModel.v. */
const record = (m: ErrorModel): Numbers => ({
  ...{ uo: m.operand, us: m.scores, ue: m.exponential, up: m.probabilities, ua: m.accumulation },
  ...{ uout: m.output, ui: m.input, ust: m.stored, tiny: m.tiny, eta: m.operandTiny + m.tiny },
  ...{ eta_out: m.outputTiny, eta_in: m.inputTiny + m.tiny, eta_st: m.storedTiny + m.tiny },
});

/** From which error of the denominator on the program asks Lemma Hull too; either bound holds. */
const HULL_FROM = 1 / 3;

/** Below which distance from the LSE, eight errors of its score more, the program calls a key far. */
const FAR_BELOW = 800;

/** Theorems about a row merged by weights, and those about one merged by sigmoids. */
const SUBTRACTED = {
  row_bound: 'sigmoid_row_bound',
  row_bound_wide: 'sigmoid_row_bound_wide',
  row_hull: 'sigmoid_row_hull',
} as const;

interface Operands {
  readonly k: readonly number[];
  readonly v: readonly number[];
}

/** One row: its keys and sink, and where it lies. The sink is key −1. */
interface Row {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  readonly keys: readonly number[];
  readonly sink: number | null;
  readonly raw: (j: number) => number;
  readonly capped: (j: number) => number;
  readonly bias: (j: number) => number;
  readonly s: (j: number) => number;
  readonly kappa: (j: number) => number;
  readonly q: (e: number) => number;
  readonly k: (j: number, e: number) => number;
  readonly v: (j: number, e: number) => number;
  readonly dO: (e: number) => number;
  readonly dLse: number;
  /** Flat index of component 0 of key j in K, and in V. */
  readonly kAt: (j: number) => number;
  readonly vAt: (j: number) => number;
}

function rowOf(c: CertifiedCase, r: number): Row {
  const { heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v, scale, softcap } = c.parameters;
  const [b, h, i] = [Math.floor(r / seq_q / heads), Math.floor(r / seq_q) % heads, r % seq_q];
  const group = b * kv_heads + Math.floor(h / (heads / kv_heads));
  const kAt = (j: number): number => (group * seq_kv + j) * head_dim;
  const vAt = (j: number): number => (group * seq_kv + j) * head_dim_v;
  const spread = (of: CertifiedCase['bias'], j: number, none: number): number => {
    if (of === null) return none;
    const [sb, sh, si, sj] = of.strides;
    return of.data[b * sb + h * sh + i * si + j * sj] ?? 0;
  };
  const q = (e: number): number => c.q[r * head_dim + e] ?? 0;
  const k = (j: number, e: number): number => c.k.mid[kAt(j) + e] ?? 0;
  const raw = known((j) => scale * sum(head_dim, (e) => q(e) * k(j, e)));
  const capped = (j: number): number => (softcap === 0 ? raw(j) : softcap * tanh(raw(j) / softcap));
  const sink = c.sink === null ? null : (c.sink[h] ?? 0);
  const bias = (j: number): number => spread(c.bias, j, 0);
  return {
    ...{ b, h, i, sink, raw, capped, bias, q, k, kAt, vAt },
    keys: range(seq_kv).filter((j) => c.visible(b, h, i, j)),
    s: known((j) => (j < 0 ? (sink ?? 0) : capped(j) + bias(j))),
    kappa: (j) => spread(c.kappa, j, 1),
    v: (j, e) => c.v.mid[vAt(j) + e] ?? 0,
    dO: (e) => c.dOut[r * head_dim_v + e] ?? 0,
    dLse: c.dLse[r] ?? 0,
  };
}

/** One case, one model, and everything that the parts below have in common. */
class Composition {
  readonly #coq: CoqStatements;
  readonly #c: CertifiedCase;
  readonly #m: ErrorModel;
  readonly #operands: Operands;
  readonly bounds: Bounds = new Map();
  readonly used = new Set<string>();

  constructor(coq: CoqStatements, c: CertifiedCase, m: ErrorModel) {
    [this.#coq, this.#c, this.#m] = [coq, c, m];
    this.#operands = { k: this.#projected(c.k.mid, 'k'), v: this.#projected(c.v.mid, 'v') };
  }

  /** Errors of K or V: recomputed from features, or inputs that are rounded near zero. */
  #projected(x: Float64Array, which: 'k' | 'v'): number[] {
    const { features, parameters: p } = this.#c;
    const m = this.#m;
    if (features === null) return [...x].map(() => m.inputTiny);
    const [y, w] = [features.y, which === 'k' ? features.wK : features.wV];
    const width = which === 'k' ? p.head_dim : p.head_dim_v;
    const columns = p.kv_heads * width;
    const n = w.length / columns;
    return [...x].map((value, at) => {
      const row = Math.floor(at / width);
      const [b, g, j] = [
        Math.floor(row / p.seq_kv / p.kv_heads),
        Math.floor(row / p.seq_kv) % p.kv_heads,
        row % p.seq_kv,
      ];
      const f = (e: number): number => Math.abs(y[(b * p.seq_kv + j) * n + e] ?? 0);
      const a = (e: number): number => Math.abs(w[e * columns + g * width + (at % width)] ?? 0);
      return this.#coq.at('DotAccuracy.projection_error', {
        ...{ us: m.scores, uo: m.operand, ui: m.input, itiny: m.inputTiny, tiny: m.tiny, n },
        ...{ otiny: m.operandTiny, magnitude: sum(n, (e) => f(e) * a(e)) },
        ...{ sizes: sum(n, (e) => f(e) + a(e)), x: Math.abs(value) },
      });
    });
  }

  /** Errors of a key's score and of its tanh. */
  #score(row: Row, j: number): { error: number; tError: number } {
    const m = this.#m;
    const { head_dim: d, scale, softcap: cap } = this.#c.parameters;
    const of = (e: number): number => this.#operands.k[row.kAt(j) + e] ?? 0;
    const near = { us: m.scores, tiny: m.tiny };
    let tError = 0;
    let error = this.#coq.at('DotAccuracy.raw_score_error', {
      ...{ ...near, uo: m.operand, ui: m.input, eta: m.operandTiny + m.tiny, d },
      scale: Math.abs(scale),
      magnitude: sum(d, (e) => Math.abs(row.q(e) * row.k(j, e))),
      carried: sum(d, (e) => Math.abs(row.q(e)) * of(e)),
      sizes: sum(d, (e) => Math.abs(row.q(e)) + Math.abs(row.k(j, e)) + of(e)),
    });
    if (cap !== 0) {
      const raw = Math.abs(row.raw(j));
      tError = this.#coq.at('ScoreAccuracy.tanh_error', {
        ...{ ...near, utanh: m.tanh, cap, raw, least: raw, error },
      });
      const capped = Math.abs(row.capped(j));
      error = this.#coq.at('ScoreAccuracy.softcap_error', { ...near, cap, capped, terror: tError });
    }
    if (this.#c.bias !== null) {
      error = this.#coq.at('ScoreAccuracy.bias_error', {
        ...{ ...near, ust: m.stored, stiny: m.storedTiny, error },
        ...{ score: Math.abs(row.s(j)), capped: Math.abs(row.capped(j)) },
        bias: Math.abs(row.bias(j)),
      });
    }
    return { error, tError };
  }

  /** What the forward theorems take of a row but for a component's coefficients. */
  forward(row: Row) {
    const m = this.#m;
    const js = row.sink === null ? row.keys : [...row.keys, -1];
    const found = new Map(row.keys.map((j) => [j, this.#score(row, j)]));
    const ofSink = m.stored * Math.abs(row.sink ?? 0) + m.storedTiny;
    const score = (j: number): number => (j < 0 ? ofSink : (found.get(j)?.error ?? 0));
    const tError = (j: number): number => found.get(j)?.tError ?? 0;
    const own = { s: over(row.s), score: over(score), js };
    const lse = this.#coq.at('AttentionBound.lse', own);
    const below = (j: number): boolean => lse - row.s(j) > FAR_BELOW + 8 * score(j);
    // The least that the theorems' hypotheses allow.
    const slack = 1 + Math.max(0, ...js.filter((j) => !below(j)).map(score)) + m.headroom;
    const largest = Math.max(Math.abs(lse), ...js.map((j) => Math.abs(row.s(j)) + score(j)));
    const merged = { ua: m.accumulation, uw: m.summed, js, slack, largest };
    const variables = {
      ...{ ...own, ua: m.accumulation, ue: m.exponential, eta: m.tiny, head: m.headroom },
      ...{ slack, uw: m.summed, ew: m.weightTiny },
      granted: m.subtractsInMerges ? this.#coq.at('SigmoidBound.granted', merged) : m.summed,
      // Split keys on one rank, the ranks, the sink.
      merges: this.#c.parameters.partition.ranks + (row.sink === null ? 0 : 1),
      ...{ up: m.partial, ep: m.partialTiny },
    };
    const beside = m.probabilities + m.input + 5 * m.accumulation;
    const aside = this.#coq.at('AttentionBound.aside', { ...variables, beside });
    const rounding = known(
      (j) => this.#coq.at('AttentionBound.rounding', { ...variables, j }) + aside,
    );
    // Any keys may be called far: those that are nothing, and those that the others' condition excludes.
    const isFar = (j: number): boolean => below(j) || rounding(j) > 1 / 2;
    const far: Value = (j) => isFar(Number(j));
    const all = { ...variables, beside, far };
    return {
      ...{ js, lse, score, tError, isFar, largest, variables: all },
      rounded: Math.max(...js.filter((j) => !isFar(j)).map(rounding)),
      anyFar: js.some(isFar),
      denominator: this.#coq.at('AttentionBound.denominator', all),
    };
  }

  /** The coefficients of one component of the output: values with their errors, and what flushes. */
  #coefficients(row: Row, e: number) {
    const { tiny, operandTiny, weightTiny } = this.#m;
    const k = (j: number): number => (j < 0 ? 0 : row.kappa(j) * row.v(j, e));
    const off = (j: number): number => (j < 0 ? 0 : (this.#operands.v[row.vAt(j) + e] ?? 0));
    const dk = (j: number): number => (j < 0 ? 0 : row.kappa(j) * off(j));
    const leaf = (j: number): number => row.kappa(j) * (weightTiny + operandTiny) + tiny;
    const ho = (j: number): number =>
      tiny + (j < 0 ? 0 : leaf(j) * (Math.abs(row.v(j, e)) + off(j)));
    const size = (j: number): number => Math.abs(k(j)) + dk(j);
    return { size, least: ho, k: over(k), dk: over(dk), ho: over(ho) };
  }

  /** What the forward theorems say of one component of O, and of the LSE, before they are stored. */
  #divided(forward: ReturnType<Composition['forward']>, row: Row, e: number) {
    const { js, variables, rounded, denominator, isFar, anyFar } = forward;
    const { size, least: underflow, ...coefficients } = this.#coefficients(row, e);
    const at = { ...variables, ...coefficients };
    const of = (name: string): number => this.#coq.at(`AttentionBound.${name}`, at);
    const most = (list: readonly number[]): number => Math.max(...list.map(size));
    const bounds = (name: keyof typeof SUBTRACTED, more: Record<string, Value> = {}): number[] => {
      if (!this.#m.subtractsInMerges) {
        return this.#coq.bounds(`AttentionBound.${name}`)({ ...at, ...more, undamped: 0 });
      }
      const { granted: _, ...rest } = at;
      const given = { ...rest, largest: forward.largest, v: most(js), rounded };
      return this.#coq.bounds(`SigmoidBound.${SUBTRACTED[name]}`)({ ...given, ...more });
    };
    const using = (name: keyof typeof SUBTRACTED): unknown =>
      this.used.add(this.#m.subtractsInMerges ? SUBTRACTED[name] : name);
    const exact = of('out');
    const some = js.some((j) => !isFar(j));
    const lost = of('flushes') + of('faint_sum');
    let [divided, lse] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    if (denominator < 1) {
      [divided = 0, lse = 0] = bounds('row_bound');
      using('row_bound');
    } else if (some && lost < 1 && of('kept_sum') > 0) {
      [divided = 0, lse = 0] = bounds('row_bound_wide');
      using('row_bound_wide');
    }
    const least = denominator < 1 ? 1 - denominator : of('least');
    const z = anyFar ? 1 / Math.max(0, least) : 0;
    const averaged = anyFar ? of('flushes') + (1 + z) * of('faint_sum') < 1 : of('flushes') < 1;
    if (some && averaged && denominator > HULL_FROM) {
      const near = most(js.filter((j) => !isFar(j)));
      const more = this.#m.subtractsInMerges ? { w: near } : { v: near, rounded };
      const [hull = 0] = bounds('row_hull', { ...more, z });
      if (hull < divided) using('row_hull');
      divided = Math.min(divided, hull);
    }
    if (divided === Number.POSITIVE_INFINITY && this.#ofFarRows) {
      const { ua, eta, beside } = variables;
      const h = Math.max(...js.map(underflow));
      const given = { v: most(js), h, ua, eta, beside, js, out: exact, parts: js.length };
      [divided = 0] = this.#using('row_average', this.#coq.bounds('FarRows.row_average')(given));
    }
    return { exact, divided, lse };
  }

  /** What FarRows.v says of an LSE of which AttentionBound.v says nothing. */
  #farLse(row: Row, { js, lse, score, variables }: ReturnType<Composition['forward']>): number {
    const off = Math.max(...js.map(score));
    const scores = js.map((j) => Math.abs(j < 0 ? (row.sink ?? 0) : row.s(j)));
    const size = Math.max(Math.abs(lse), Math.max(...scores) + off);
    const { ua, ue, eta, uw, ew, merges } = variables;
    const at = { ua, eta, ew, merges, n: js.length };
    if (!this.#ofFarRows) return Number.POSITIVE_INFINITY;
    const few = this.#coq.at('FarRows.far_lse_flushes', at) <= 1 / 2;
    if (!(few && this.#coq.at('FarRows.far_lse_share', at) < 1)) return Number.POSITIVE_INFINITY;
    const given = { ua, ue, uw, js, merges, size, score: off };
    const bounds = this.#coq.bounds('FarRows.far_row_lse')({ ...given, exact: variables.s });
    return this.#using('far_row_lse', bounds[0] ?? 0);
  }

  /** FarRows.v speaks of runs that store no partial output, whose maxima do not lag, that merge by weights. */
  get #ofFarRows(): boolean {
    const { partial, headroom, subtractsInMerges } = this.#m;
    return partial === 0 && headroom === 0 && !subtractsInMerges;
  }

  #using<T>(theorem: string, found: T): T {
    this.used.add(theorem);
    return found;
  }

  /** Errors of each component of O, stored, and of the LSE, converted: of one row. */
  row(row: Row, r: number) {
    const m = this.#m;
    const { head_dim_v: width } = this.#c.parameters;
    const forward = this.forward(row);
    const ua = m.accumulation;
    let lseDivided = 0;
    const out = range(width).map((e) => {
      const { exact, divided, lse } = this.#divided(forward, row, e);
      lseDivided = lse;
      const [stored = 0] = this.#coq.bounds('AttentionBound.stored_bound')({
        ...{ ua, uo: m.output, tiny: m.tiny, otiny: m.outputTiny, out: exact, divided },
      });
      this.#put('out', r * width + e, stored);
      return { exact, stored };
    });
    const { lse } = forward;
    // P and the gradients rest on it too, whichever theorem says it.
    const divided =
      lseDivided === Number.POSITIVE_INFINITY ? this.#farLse(row, forward) : lseDivided;
    const converted = { ua, lse: Math.abs(lse), divided };
    const lseError = this.#coq.at('AttentionBound.converted_error', converted);
    const [stored = 0] = this.#coq.bounds('AttentionBound.lse_stored_bound')({
      ...{ ua, uo: ua, lse, divided },
    });
    this.#put('lse', r, stored);
    return { ...forward, lseError, out };
  }

  #put(name: OutputName, at: number, bound: number): void {
    const list = this.bounds.get(name) ?? [];
    this.bounds.set(name, list);
    list[at] = bound;
  }

  /** dS of every key of a row and of its sink, with their errors. */
  #cotangents(row: Row, forward: ReturnType<Composition['row']>) {
    const m = this.#m;
    const { head_dim_v: width } = this.#c.parameters;
    const { variables, lse, lseError, out } = forward;
    const [keys, comps] = [row.keys, range(width)];
    const exactly = {
      ...{ keys, comps, kappa: over(row.kappa), dO: over(row.dO), s: over(row.s) },
      ...{ v: (j: Value) => over((e) => row.v(Number(j), e)), dLSE: row.dLse },
      sink: row.sink === null ? null : [row.sink],
    };
    const exactP = known((j) => exp(row.s(j) - lse));
    const pError = known((j) => {
      const weight = this.#coq.at('BackwardModel.recomputed_weight', {
        ...{ m: record(m), lse: Math.abs(lse), lseError, score: Math.abs(row.s(j)) },
        fromLse: Math.abs(row.s(j) - lse),
        weight: this.#coq.at('AttentionBound.weight', { ...variables, j }),
      });
      const at = { m: record(m), p: exactP(j), weight, below: lse - row.s(j) };
      const grown = this.#coq.at('Growth.growth', { T: weight });
      const far = this.#coq.at('BackwardModel.far_probability_error', at);
      const near = this.#coq.at('BackwardModel.probability_error', { ...at, grown });
      if (weight <= 1) return near; // the program does not ask for the other there
      return Number.isNaN(near) ? far : Math.min(near, far); // 0·∞ says nothing
    });
    const off = (j: number, e: number): number => this.#operands.v[row.vAt(j) + e] ?? 0;
    const gError = (j: number): number =>
      this.#coq.at('BackwardModel.gradient_error', {
        ...{ m: record(m), width, kappa: row.kappa(j) },
        products: sum(width, (e) => Math.abs(row.dO(e) * row.v(j, e))),
        carried: sum(width, (e) => Math.abs(row.dO(e)) * off(j, e)),
        sizes: sum(
          width,
          (e) => Math.abs(row.dO(e)) + m.inputTiny + m.tiny + Math.abs(row.v(j, e)) + off(j, e),
        ),
      });
    const p = (j: number): number => this.#coq.at('Gradient.P', { ...exactly, j });
    const variablesOfRow = {
      ...{ m: record(m), keys, comps, p: over(p), pError: over(pError), gError: over(gError) },
      g: over((j) => Math.abs(this.#coq.at('Gradient.G', { ...exactly, j }))),
      d: Math.abs(this.#coq.at('Gradient.D', exactly)),
      dLse: Math.abs(row.dLse),
      products: sum(width, (e) => Math.abs(row.dO(e) * (out[e]?.exact ?? 0))),
      carried: sum(width, (e) => Math.abs(row.dO(e)) * (out[e]?.stored ?? 0)),
      sizes: sum(width, (e) => Math.abs(out[e]?.exact ?? 0) + (out[e]?.stored ?? 0)),
    };
    const [dS, dSink] = ['row_dS_bound', 'row_dSink_bound'].map((name) =>
      this.#coq.bounds(`BackwardBound.${name}`),
    );
    return {
      ...{ p, pError },
      dS: (j: number) => this.#coq.at('Gradient.dS', { ...exactly, j }),
      dSError: (j: number) => dS?.({ ...variablesOfRow, j })[0] ?? 0,
      dSink: this.#coq.at('Gradient.dSink', exactly),
      dSinkError: () =>
        dSink?.({ ...variablesOfRow, pSink: exactP(-1), eSink: pError(-1) })[0] ?? 0,
    };
  }

  /** What a row adds to the sums of every gradient. */
  gradientTerms(row: Row, forward: ReturnType<Composition['row']>, r: number, terms: Terms): void {
    const { parameters: p, bias } = this.#c;
    const found = this.#cotangents(row, forward);
    for (const j of row.keys) {
      const [dS, dSe, P] = [found.dS(j), found.dSError(j), found.p(j)];
      const t = p.softcap === 0 ? 0 : Math.abs(row.capped(j) / p.softcap);
      // dQ_dK_capped_bound is dQ_dK_bound with this for the error of dS through the softcap.
      const fb = 1 - t * t;
      const rawError = p.softcap === 0 ? dSe : this.#capped([dS, dSe], fb, [t, forward.tError(j)]);
      const pError = found.pError(j);
      for (let e = 0; e < p.head_dim_v; e++) {
        const kappa = row.kappa(j);
        const size = Math.abs(row.dO(e));
        const exact = kappa * P * row.dO(e);
        terms.add('d_v', row.vAt(j) + e, { kappa, p: P, pError, size, exact });
      }
      for (let e = 0; e < p.head_dim; e++) {
        const common = { dSb: Math.abs(dS) * fb, dSe: rawError, fb: 1, fe: 0 };
        const [q, k, off] = [row.q(e), row.k(j, e), this.#operands.k[row.kAt(j) + e] ?? 0];
        const exact = p.scale * dS * fb;
        const ofQ = { ...common, yb: Math.abs(k), dy: off, exact: exact * k };
        terms.add('d_q', r * p.head_dim + e, ofQ);
        terms.add('d_k', row.kAt(j) + e, { ...common, yb: Math.abs(q), dy: 0, exact: exact * q });
      }
      if (bias === null) continue;
      const [sb, sh, si, sj] = bias.strides;
      const at = row.b * sb + row.h * sh + row.i * si + j * sj;
      terms.add('d_bias', at, { b: Math.abs(dS), e: dSe, exact: dS });
    }
    if (row.sink === null) return;
    const { dSink } = found;
    terms.add('d_sink', row.h, { b: Math.abs(dSink), e: found.dSinkError(), exact: dSink });
  }

  /** The error of dS after the factor of a softcap. */
  #capped([dS, dSError]: [number, number], factor: number, [t, tError]: [number, number]): number {
    const m = record(this.#m);
    const factorError = this.#coq.at('BackwardModel.factor_error', { m, t, tError });
    return this.#coq.at('BackwardModel.capped_error', {
      ...{ m, cap: this.#c.parameters.softcap, dS: Math.abs(dS), dSError, factor, factorError },
    });
  }

  /** Each gradient's bound from its terms; and of what is projected from dK and dV. */
  finish(terms: Terms): void {
    const S = Math.abs(this.#c.parameters.scale);
    for (const [name, theorem] of [
      ...([
        ['d_v', 'dV_bound'],
        ['d_q', 'dQ_dK_bound'],
        ['d_k', 'dQ_dK_bound'],
        ['d_bias', 'dBias_bound'],
        ['d_sink', 'dBias_bound'],
      ] as const),
    ]) {
      this.#finishSums(terms, name, theorem, theorem === 'dQ_dK_bound' ? { S } : {});
    }
    if (this.#c.features === null) return;
    this.#addProjections(terms);
    for (const name of ['d_y', 'd_w_k', 'd_w_v'] as const) {
      this.#finishSums(terms, name, 'projection_bound', {});
    }
  }

  #finishSums(terms: Terms, name: OutputName, theorem: string, beside: Numbers): void {
    const bound = this.#coq.bounds(`BackwardBound.${theorem}`);
    for (const [at, list] of terms.of(name)) {
      const fields = Object.keys(list[0] ?? {}).filter((field) => field !== 'exact');
      const functions = fields.map((field) => [field, over((n) => list[n]?.[field] ?? 0)]);
      const [found = 0] = bound({
        ...{ m: record(this.#m), xs: range(list.length), ...beside },
        ranks: this.#c.parameters.partition.ranks,
        magnitude: sum(list.length, (n) => Math.abs(list[n]?.exact ?? 0)),
        exact: Math.abs(sum(list.length, (n) => list[n]?.exact ?? 0)),
        ...Object.fromEntries(functions),
      });
      this.#put(name, at, found + this.#stored(name, list, found));
    }
  }

  /** StoredParts.v: the parts of dK and dV, one a query head of a group, may be stored before their sum. */
  #stored(name: OutputName, list: readonly Numbers[], found: number): number {
    const { heads, kv_heads, partition } = this.#c.parameters;
    if ((name !== 'd_k' && name !== 'd_v') || heads === kv_heads) return 0;
    const { accumulation, output: u, outputTiny: eta } = this.#m;
    const n = list.length;
    const grown = this.#coq.at('BackwardModel.sum_growth', {
      ...{ n, extra: partition.ranks + 1, u: accumulation, other: 0 },
    });
    const magnitude = sum(n, (k) => Math.abs(list[k]?.exact ?? 0));
    const exact = Math.abs(sum(n, (k) => list[k]?.exact ?? 0));
    // What finish_sum has before its last rounding, and the sum's own size.
    const size = (found - eta - u * exact) / (1 + u) + magnitude;
    const parts = Math.min(heads / kv_heads, n);
    const stored = this.#coq.at('StoredParts.stored_parts_error', { u, eta, parts, size });
    return stored * (1 + grown) * (1 + u);
  }

  #addProjections(terms: Terms): void {
    const { features, parameters: p } = this.#c;
    if (features === null) return;
    for (const [from, to, w, width] of [
      ['d_k', 'd_w_k', features.wK, p.head_dim],
      ['d_v', 'd_w_v', features.wV, p.head_dim_v],
    ] as const) {
      const columns = p.kv_heads * width;
      const dimY = w.length / columns;
      for (let at = 0; at < p.batch * columns * p.seq_kv; at++) {
        const row = Math.floor(at / width);
        const column = (Math.floor(row / p.seq_kv) % p.kv_heads) * width + (at % width);
        const [b, j] = [Math.floor(row / p.seq_kv / p.kv_heads), row % p.seq_kv];
        const x = (terms.of(from).get(at) ?? []).reduce(
          (total, one) => total + (one.exact ?? 0),
          0,
        );
        const common = { size: Math.abs(x), error: this.bounds.get(from)?.[at] ?? 0 };
        for (let e = 0; e < dimY; e++) {
          const [yAt, wAt] = [(b * p.seq_kv + j) * dimY + e, e * columns + column];
          const [f, a] = [features.y[yAt] ?? 0, w[wAt] ?? 0];
          terms.add('d_y', yAt, { ...common, a: Math.abs(a), exact: x * a });
          terms.add(to, wAt, { ...common, a: Math.abs(f), exact: x * f });
        }
      }
    }
  }
}

/** What is summed, by output and element. */
class Terms {
  readonly #of = new Map<OutputName, Map<number, Numbers[]>>();

  of(name: OutputName): Map<number, Numbers[]> {
    const known = this.#of.get(name) ?? new Map<number, Numbers[]>();
    this.#of.set(name, known);
    return known;
  }

  add(name: OutputName, at: number, term: Numbers): void {
    const list = this.of(name).get(at) ?? [];
    this.of(name).set(at, list);
    list.push(term);
  }
}

/**
 * The bounds of every element that the theorems speak of, holes where nothing is summed; and which of
 * the forward theorems decided.
 */
export function theoremBounds(
  coq: CoqStatements,
  c: CertifiedCase,
  m: ErrorModel,
): { readonly bounds: Bounds; readonly used: ReadonlySet<string> } {
  const { batch, heads, seq_q } = c.parameters;
  const composition = new Composition(coq, c, m);
  const terms = new Terms();
  for (let r = 0; r < batch * heads * seq_q; r++) {
    const row = rowOf(c, r);
    if (row.keys.length === 0 && row.sink === null) continue;
    const forward = composition.row(row, r);
    if (c.gradients !== null) composition.gradientTerms(row, forward, r, terms);
  }
  if (c.gradients !== null) composition.finish(terms);
  return composition;
}
