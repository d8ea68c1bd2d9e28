/**
 * The formulas that the theorems are about are the formulas that judge: every function of
 * reference/bounds/lemmas/step-errors.ts, and growth, against the Coq definition of its name, on drawn numbers.
 * A constant changed in either makes this fail.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { growth } from '../../reference/bounds/lemmas/error-model.ts';
import * as steps from '../../reference/bounds/lemmas/step-errors.ts';
import { exp, log, tanh } from '../../reference/numbers/float64.ts';
import { agree, constantsChanged, definition } from './agree.ts';
import { CoqFormulas } from './coq-formula.ts';

const theory = (name: string): URL => new URL(name, import.meta.url);
/** The definitions that each function is held against: file, names. */
const PROVED = {
  projectionError: ['DotAccuracy.v', 'projection_error'],
  rawScoreError: ['DotAccuracy.v', 'raw_score_error'],
  tanhError: ['ScoreAccuracy.v', 'tanh_argument', 'tanh_error'],
  softcapError: ['ScoreAccuracy.v', 'softcap_error'],
  biasError: ['ScoreAccuracy.v', 'bias_error'],
  weightRounding: ['AttentionBound.v', 'weight_rounding'],
  weightError: ['AttentionBound.v', 'weight_error'],
  farWeight: ['AttentionBound.v', 'far_weight'],
  flush: ['AttentionAccuracy.v', 'rescaled_tiny', 'flush'],
  quotient: ['AttentionBound.v', 'quotient'],
  dividedError: ['AttentionBound.v', 'divided_error'],
  hullError: ['AttentionBound.v', 'hull_error'],
  leastWeight: ['AttentionBound.v', 'least_weight'],
  wideLseError: ['AttentionBound.v', 'wide_lse_error'],
  averageError: ['FarRows.v', 'average_error'],
  farLseShare: ['FarRows.v', 'far_lse_share'],
  farLseFlushes: ['FarRows.v', 'far_lse_flushes'],
  farLseError: ['FarRows.v', 'far_lse_error'],
  unroundedError: ['AttentionBound.v', 'unrounded_error'],
  convertedError: ['AttentionBound.v', 'converted_error'],
  growth: ['Growth.v', 'growth'],
} as const;
type Name = keyof typeof PROVED;

/** Definitions in an order in which each is read after those that it uses. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  'Growth.v': ['growth'],
  'DotAccuracy.v': ['projection_error', 'raw_score_error'],
  'ScoreAccuracy.v': ['tanh_argument', 'tanh_error', 'softcap_error', 'bias_error'],
  'AttentionAccuracy.v': ['rescaled_tiny', 'flush'],
  'AttentionBound.v': [
    ...['weight_rounding', 'weight_error', 'far_weight', 'quotient', 'divided_error'],
    ...['least_weight', 'wide_lse_error', 'hull_error'],
    ...['unrounded_error', 'converted_error'],
  ],
  'FarRows.v': ['average_error', 'far_lse_share', 'far_lse_flushes', 'far_lse_error'],
};
const sources = Object.fromEntries(
  Object.keys(FILES).map((file) => [file, readFileSync(theory(file), 'utf8')]),
);

function formulas(texts: Readonly<Record<string, string>>): CoqFormulas {
  const coq = new CoqFormulas({
    Rmax: Math.max,
    Rmin: Math.min,
    Rabs: Math.abs,
    exp,
    ln: log,
    tanh,
  });
  for (const [file, names] of Object.entries(FILES)) coq.define(texts[file] ?? '', names, file);
  return coq;
}

/** A function of a key's score, the row's LSE beside it, and the merges on its way. */
const weights =
  (
    program: typeof steps.weightError,
    theorem: 'weight_rounding' | 'weight_error',
  ): ((coq: CoqFormulas) => void) =>
  (coq) =>
    agree(['s', 'fromLse', 'error', 'merges', 'slack', 'granted'], (m, x, n) => {
      const [s, lse] = [x.s - 32, x.s - 32 + x.fromLse];
      const { merges, slack, granted } = x;
      const terms = { summed: n, merges, slack, lse: Math.abs(lse), granted };
      return [
        program(m, terms, Math.abs(s), lse - s, x.error),
        coq.evaluate(theorem, {
          ...{ ue: m.exponential, ua: m.accumulation, n, merges, slack, granted },
          ...{ lse, s, score: x.error },
        }),
      ];
    });

const COMPARED: Readonly<Record<Name, (coq: CoqFormulas) => void>> = {
  projectionError: (coq) =>
    agree(['magnitude', 'sizes', 'x'], (m, x, n) => [
      steps.projectionError(steps.projectionTerms(m, n), x),
      coq.evaluate('projection_error', {
        ...{ us: m.scores, uo: m.operand, ui: m.input, itiny: m.inputTiny },
        ...{ otiny: m.operandTiny, tiny: m.tiny, n, ...x },
      }),
    ]),
  rawScoreError: (coq) =>
    agree(['scale', 'magnitude', 'carried', 'sizes'], (m, x, d) => [
      steps.rawScoreError(
        ...([steps.rawScoreTerms(m, { scale: x.scale, d }), x.magnitude, x.carried] as const),
        x.sizes,
      ),
      coq.evaluate('raw_score_error', {
        ...{ us: m.scores, uo: m.operand, ui: m.input, eta: m.operandTiny + m.tiny },
        ...{ tiny: m.tiny, d, ...x },
      }),
    ]),
  tanhError: (coq) =>
    agree(['cap', 'least', 'beyond', 'error'], (m, { cap, least, beyond, error }) => {
      // On the flat part the slope's slack of 2⁻⁴⁶ would count; the comparison stays near zero.
      const x = { raw: (least + beyond) / 64, least: least / 64, error };
      const slack = 2 ** -46 * 200;
      const program = steps.tanhError(m, cap + 1, x);
      const theorem = coq.evaluate('tanh_error', {
        ...{ us: m.scores, tiny: m.tiny, utanh: m.tanh, cap: cap + 1, ...x },
      });
      return [Math.abs(program - theorem) <= slack ? theorem : program, theorem];
    }),
  softcapError: (coq) =>
    agree(['cap', 'capped', 'tError'], (m, x) => [
      steps.softcapError(m, x.cap, x),
      coq.evaluate('softcap_error', { us: m.scores, tiny: m.tiny, terror: x.tError, ...x }),
    ]),
  biasError: (coq) =>
    agree(['score', 'capped', 'bias', 'error'], (m, x) => [
      steps.biasError(m, x),
      coq.evaluate('bias_error', {
        ...{ us: m.scores, ust: m.stored, tiny: m.tiny, stiny: m.storedTiny, ...x },
      }),
    ]),
  weightRounding: weights(steps.weightRounding, 'weight_rounding'),
  weightError: weights(steps.weightError, 'weight_error'),
  farWeight: (coq) =>
    agree(['s', 'fromLse', 'error', 'merges', 'slack', 'granted'], (m, x, n) => {
      const [s, lse] = [x.s - 32, x.s - 32 + x.fromLse];
      const granted = x.granted / 16;
      const terms = {
        ...{ summed: n, merges: x.merges / 64, slack: x.slack, lse: Math.abs(lse), granted },
      };
      return [
        steps.farWeight(m, terms, { score: Math.abs(s), below: lse - s, error: x.error }),
        coq.evaluate('far_weight', {
          ...{ ue: m.exponential, ua: m.accumulation, merges: x.merges / 64, slack: x.slack },
          ...{ lse, s, score: x.error, head: m.headroom, granted },
        }),
      ];
    }),
  flush: (coq) =>
    agree(['leaf', 'size', 'operations'], (m, x) => [
      steps.flush(m, x),
      coq.evaluate('flush', {
        ...{ eta: m.tiny, head: m.headroom, h: 3 * x.leaf, k: x.size, N: x.operations },
      }),
    ]),
  quotient: (coq) =>
    agree(['b'], (_, { b }) => [steps.quotient(b / 65), coq.evaluate('quotient', { b: b / 65 })]),
  dividedError: (coq) =>
    agree(['numerator', 'out', 'b', 'least'], (_, { numerator, out, b, least }) => [
      steps.dividedError(numerator, out, b, least),
      coq.evaluate('divided_error', { numerator, out, denominator: b, least }),
    ]),
  hullError: (coq) =>
    agree(['out', 'top', 'rounded', 'flushes', 'lost'], (_, x) => {
      const at = { ...x, rounded: x.rounded / 128 };
      return [steps.hullError(at), coq.evaluate('hull_error', at)];
    }),
  leastWeight: (coq) =>
    agree(['score', 'beyond'], (_, { score, beyond }) => [
      steps.leastWeight(score / 16, (score + beyond) / 16),
      coq.evaluate('least_weight', { score: score / 16, weight: (score + beyond) / 16 }),
    ]),
  wideLseError: (coq) =>
    agree(['denominator', 'flushes', 'least'], (_, { denominator, flushes, least }) => [
      steps.wideLseError(denominator, flushes / 65, least / 65),
      coq.evaluate('wide_lse_error', { denominator, flushes: flushes / 65, least: least / 65 }),
    ]),
  averageError: (coq) =>
    agree(['parts', 'beside', 'out', 'top', 'leaf'], (m, x, n) => {
      const [few, beside] = [n / 64, x.beside / 64];
      return [
        steps.averageError(m, { ...x, n: few, beside }, x),
        coq.evaluate('average_error', {
          ...{ ...x, ua: m.accumulation, eta: m.tiny, beside, n: few },
        }),
      ];
    }),
  farLseShare: (coq) =>
    agree(['merges'], (m, x) => [
      steps.farLseShare(m, x.merges),
      coq.evaluate('far_lse_share', { ua: m.accumulation, ...x }),
    ]),
  farLseFlushes: (coq) =>
    agree(['merges'], (m, x, n) => [
      steps.farLseFlushes(m, { n: n / 64, merges: x.merges / 16 }),
      coq.evaluate('far_lse_flushes', {
        ...{ ua: m.accumulation, eta: m.tiny, n: n / 64, merges: x.merges / 16 },
        ew: m.weightTiny,
      }),
    ]),
  farLseError: (coq) =>
    agree(['merges', 'size', 'score'], (m, x, n) => [
      steps.farLseError(m, { n, merges: x.merges }, x),
      coq.evaluate('far_lse_error', {
        ...{ ue: m.exponential, ua: m.accumulation, uw: m.summed, n, ...x },
      }),
    ]),
  unroundedError: (coq) =>
    agree(['out', 'divided'], (m, x) => [
      steps.unroundedError(m, x.out, x.divided),
      coq.evaluate('unrounded_error', { ua: m.accumulation, tiny: m.tiny, ...x }),
    ]),
  convertedError: (coq) =>
    agree(['lse', 'divided'], (m, x) => [
      steps.convertedError(m, x.lse, x.divided),
      coq.evaluate('converted_error', { ua: m.accumulation, ...x }),
    ]),
  growth: (coq) =>
    agree(['t'], (_, { t }) => [growth(t / 8), coq.evaluate('growth', { T: t / 8 })]),
};

/** Formulas whose theorem states them outright: [rounds uo otiny] in stored_bound. */
const STATED = ['finalRounding'];
/** What formulas have in common of many numbers: no formulas of their own. */
const PARTS = ['projectionTerms', 'rawScoreTerms'];

describe('the formulas of the proofs and of the program', () => {
  for (const [name, compare] of Object.entries(COMPARED)) {
    it(`${name} is the one that is proved`, () => compare(formulas(sources)));
  }

  it('leave no function of step-errors.ts out', () => {
    const source = readFileSync(
      new URL('../../reference/bounds/lemmas/step-errors.ts', import.meta.url),
      'utf8',
    );
    const functions = [...source.matchAll(/^export (?:function|const) (\w+)/gm)].map(
      ([, name]) => name,
    );
    expect(functions.sort()).toEqual(
      [...Object.keys(COMPARED).filter((name) => name !== 'growth'), ...STATED, ...PARTS].sort(),
    );
  });

  /** The lesser of 1 and 1 − t² is always the second: the theorem could leave the 1 out. */
  const EQUIVALENT = 'Rmin 2 (1 - steepest * steepest)';

  it('differ as soon as any one constant of a theorem is another', () => {
    let changes = 0;
    for (const [name, [file, ...names]] of Object.entries(PROVED)) {
      const source = sources[file] ?? '';
      const bodies = names.map((defined) => definition(source, defined));
      const texts = bodies.flatMap((body) =>
        [...constantsChanged(body)].map((changed) => source.replace(body, changed)),
      );
      for (const text of texts.filter((one) => !one.includes(EQUIVALENT))) {
        const other = formulas({ ...sources, [file]: text });
        expect(() => COMPARED[name as Name](other), names.join()).toThrow('Property failed');
        changes++;
      }
    }
    expect(changes).toBeGreaterThan(25);
  });

  it('refuse what they cannot read', () => {
    const read = (): unknown => new CoqFormulas({}).read(theory('Growth.v'), ['factor']);
    expect(read).toThrow('no Definition factor over reals');
  });
});
