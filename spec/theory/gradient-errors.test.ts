/**
 * Every function of reference/bounds/lemmas/gradient-errors.ts against the definition of BackwardModel.v that the
 * theorems on the backward pass are about, on drawn numbers. A constant changed in either makes this
 * fail.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { newRowBound, type RowBound } from '../../reference/bounds/by-pair/bounds.ts';
import {
  type RowMagnitudes,
  rowMagnitudes,
} from '../../reference/bounds/by-pair/row-magnitudes.ts';
import { type ErrorModel, sumGrowth } from '../../reference/bounds/lemmas/error-model.ts';
import * as steps from '../../reference/bounds/lemmas/gradient-errors.ts';
import { exp } from '../../reference/numbers/float64.ts';
import { agree, constantsChanged, definition } from './agree.ts';
import { CoqFormulas } from './coq-formula.ts';

const theory = (name: string): URL => new URL(name, import.meta.url);

/** The record [model] of BackwardModel.v, as its comment says that an ErrorModel fills it. */
const fieldsOf = (m: ErrorModel) => ({
  ...{ uo: m.operand, us: m.scores, ue: m.exponential, up: m.probabilities, ua: m.accumulation },
  ...{ uout: m.output, ui: m.input, ust: m.stored, tiny: m.tiny, eta: m.operandTiny + m.tiny },
  ...{ eta_out: m.outputTiny, eta_in: m.inputTiny + m.tiny, eta_st: m.storedTiny + m.tiny },
});
const FIELDS = [
  ...['uo', 'us', 'ue', 'up', 'ua', 'uout', 'ui', 'ust'],
  ...['tiny', 'eta', 'eta_out', 'eta_in', 'eta_st'],
];

/** Which definition each function is held against. */
const NAMES = {
  sumGrowth: 'sum_growth',
  recomputedWeight: 'recomputed_weight',
  probabilityError: 'probability_error',
  farProbabilityError: 'far_probability_error',
  gradientError: 'gradient_error',
  fromOutput: 'from_output',
  fromKey: 'from_key',
  scoreGradientError: 'score_gradient_error',
  factorError: 'factor_error',
  rawGradientError: 'raw_error',
  cappedGradientError: 'capped_error',
  valueOfCotangent: 'value_error',
  keyOfOperand: 'key_error',
  storedGradientError: 'bias_error',
  projectionTermError: 'projection_error',
  finishedError: 'finish_sum',
  storedPartsError: 'stored_parts_error',
} as const;

const source = ['BackwardModel.v', 'StoredParts.v']
  .map((file) => readFileSync(theory(file), 'utf8'))
  .join('\n');
const formulas = (text: string): CoqFormulas =>
  new CoqFormulas({ exp }, FIELDS)
    .read(theory('Growth.v'), ['growth'])
    .define(text, Object.values(NAMES));

const row = (x: Partial<Pick<RowMagnitudes, 'lse' | 'd' | 'dLse'>>): RowMagnitudes => ({
  ...rowMagnitudes(1),
  ...x,
});
const bound = (lseError: number): RowBound => ({ ...newRowBound(1, 1), lseError });

const COMPARED: Readonly<Record<keyof typeof NAMES, (coq: CoqFormulas) => void>> = {
  recomputedWeight: (coq) =>
    agree(['lse', 'lseError', 'score', 'fromLse', 'weight'], (m, x) => [
      steps.recomputedWeight(m, row(x), bound(x.lseError), x.score, x.fromLse, x.weight),
      coq.evaluate('recomputed_weight', { ...fieldsOf(m), ...x }),
    ]),
  probabilityError: (coq) =>
    agree(['p', 'grown'], (m, x) => [
      steps.probabilityError(m, x.p, x.grown),
      coq.evaluate('probability_error', { ...fieldsOf(m), ...x }),
    ]),
  farProbabilityError: (coq) =>
    agree(['p', 'below', 'weight'], (m, x) => [
      steps.farProbabilityError(m, x.p, x.below / 8, x.weight / 8),
      coq.evaluate('far_probability_error', {
        ...{ ...fieldsOf(m), p: x.p, below: x.below / 8, weight: x.weight / 8 },
      }),
    ]),
  gradientError: (coq) =>
    agree(['kappa', 'products', 'carried', 'sizes'], (m, x, width) => [
      steps.gradientError(
        ...([steps.gradientTerms(m, width), x.kappa, x.products, x.carried, x.sizes] as const),
      ),
      coq.evaluate('gradient_error', { ...fieldsOf(m), width, ...x }),
    ]),
  fromOutput: (coq) =>
    agree(['products', 'carried', 'sizes'], (m, x, width) => [
      steps.fromOutput(m, width, [x.products, x.carried, x.sizes]),
      coq.evaluate('from_output', { ...fieldsOf(m), width, ...x }),
    ]),
  fromKey: (coq) =>
    agree(['p', 'pError', 'g', 'gError'], (m, x, count) => [
      steps.fromKey(steps.fromKeyTerms(m, count), x.p, x.pError, x.g, x.gError),
      coq.evaluate('from_key', { ...fieldsOf(m), count, ...x }),
    ]),
  scoreGradientError: (coq) =>
    agree(['d', 'dLse', 'dError', 'p', 'pError', 'g', 'gError'], (m, x) => [
      steps.scoreGradientError(
        ...([steps.scoreGradientTerms(m, x, x.dError), x.p, x.pError, x.g, x.gError] as const),
      ),
      coq.evaluate('score_gradient_error', { ...fieldsOf(m), ...x }),
    ]),
  factorError: (coq) =>
    agree(['t', 'tError'], (m, x) => [
      steps.factorError(m, x.t, x.tError),
      coq.evaluate('factor_error', { ...fieldsOf(m), ...x }),
    ]),
  rawGradientError: (coq) =>
    agree(['dS', 'dSError', 'factor', 'factorError'], (m, x) => [
      steps.rawGradientError(x.dS, x.dSError, x.factor, x.factorError),
      coq.evaluate('raw_error', { ...fieldsOf(m), ...x }),
    ]),
  storedGradientError: (coq) =>
    agree(['dS', 'dSError'], (m, x) => [
      steps.storedGradientError(m, x.dS, x.dSError),
      coq.evaluate('bias_error', { ...fieldsOf(m), ...x }),
    ]),
  cappedGradientError: (coq) =>
    agree(['cap', 'dS', 'dSError', 'factor', 'factorError'], (m, x) => {
      const pairs = [[x.dS, x.dSError] as const, [x.factor, x.factorError] as const] as const;
      return [
        steps.cappedGradientError(m, x.cap, ...pairs),
        coq.evaluate('capped_error', { ...fieldsOf(m), ...x }),
      ];
    }),
  valueOfCotangent: (coq) =>
    agree(['kappa', 'p', 'pError', 'x'], (m, x) => {
      const terms = steps.valueTerms(m);
      const sizes = [x.kappa, x.p, x.pError] as const;
      const made = steps.valueOfCotangent(terms, ...sizes) * x.x;
      return [
        made + steps.valueConstant(terms, ...sizes),
        coq.evaluate('value_error', { ...fieldsOf(m), ...x }),
      ];
    }),
  keyOfOperand: (coq) =>
    agree(['scale', 'raw', 'rawError', 'y', 'carried'], (m, x) => {
      const terms = steps.keyTerms(m, x.scale);
      const ofOperand = steps.keyOfOperand(terms, x.raw, x.rawError);
      const made = ofOperand * x.y + (ofOperand + x.scale * x.raw) * x.carried;
      return [
        made + steps.keyConstant(terms, x.raw, x.rawError),
        coq.evaluate('key_error', { ...fieldsOf(m), ...x }),
      ];
    }),
  projectionTermError: (coq) =>
    agree(['size', 'error', 'a'], (m, x) => [
      steps.projectionTermError(steps.projectedTerms(m), x.size, x.error, x.a),
      coq.evaluate('projection_error', { ...fieldsOf(m), ...x }),
    ]),
  storedPartsError: (coq) =>
    agree(['parts', 'size'], (m, x) => [
      steps.storedPartsError(m, x.parts, x.size),
      coq.evaluate('stored_parts_error', { u: m.output, eta: m.outputTiny, ...x }),
    ]),
  finishedError: (coq) =>
    agree(['ranks', 'made', 'magnitude', 'exact'], (m, x, n) => [
      steps.finishedError(
        ...([m, steps.sumTerms(m, { count: n, ranks: x.ranks }), x.made, x.magnitude] as const),
        x.exact,
      ),
      coq.evaluate('finish_sum', { ...fieldsOf(m), n, ...x }),
    ]),
  sumGrowth: (coq) =>
    agree(['extra', 'u', 'other'], (m, x, n) => [
      sumGrowth(m, n, x.extra, x.u / 4096, x.other / 64),
      coq.evaluate('sum_growth', { n, extra: x.extra, u: x.u / 4096, other: x.other / 64 }),
    ]),
};

/**
 * What the model's fields are made of, which of two steps it is, what steps have in common of many numbers, and
 * the other part of one that is compared as a whole: no steps of their own.
 */
const PARTS = [
  ...['etaIn', 'softcapGradientError', 'valueConstant', 'keyConstant'],
  ...['gradientTerms', 'fromKeyTerms', 'scoreGradientTerms', 'valueTerms', 'keyTerms'],
  ...['projectedTerms', 'sumTerms'],
];

describe('the formulas of the proofs on gradients and of the program', () => {
  for (const [name, compare] of Object.entries(COMPARED)) {
    it(`${name} is the one that is proved`, () => compare(formulas(source)));
  }

  it('leave no function of gradient-errors.ts out', () => {
    const path = new URL('../../reference/bounds/lemmas/gradient-errors.ts', import.meta.url);
    const exported = [...readFileSync(path, 'utf8').matchAll(/^export (?:function|const) (\w+)/gm)];
    const compared = Object.keys(COMPARED).filter((name) => name !== 'sumGrowth');
    expect(exported.map(([, name]) => name).sort()).toEqual([...compared, ...PARTS].sort());
  });

  it('differ as soon as any one constant of a theorem is another', () => {
    let changes = 0;
    for (const [name, compare] of Object.entries(COMPARED)) {
      const defined = NAMES[name as keyof typeof NAMES];
      const body = definition(source, defined);
      for (const changed of constantsChanged(body)) {
        const other = formulas(source.replace(body, changed));
        expect(() => compare(other), `${defined} ${changed}`).toThrow('Property failed');
        changes++;
      }
    }
    expect(changes).toBeGreaterThan(40);
  });
});
