/**
 * The formulas of the theorems about merges are the formulas that judge: every function of
 * reference/bounds/lemmas/merge-errors.ts that has a theorem, against the Coq definition of its name.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SLACK } from '../../reference/bounds/lemmas/error-model.ts';
import * as merges from '../../reference/bounds/lemmas/merge-errors.ts';
import { exp } from '../../reference/numbers/float64.ts';
import { agree, constantsChanged, definition } from './agree.ts';
import { CoqFormulas } from './coq-formula.ts';

const NAMES = ['subtracted_error', 'sigmoid_lse_error', 'logit_reach', 'part_size'] as const;
const read = (file: string): string => readFileSync(new URL(file, import.meta.url), 'utf8');
const source = [read('AttentionBound.v'), read('SigmoidMerge.v'), read('SigmoidBound.v')].join('');

const formulas = (text: string): CoqFormulas =>
  new CoqFormulas({ exp })
    .read(new URL('Growth.v', import.meta.url), ['growth'])
    .define(text, ['hull_error', ...NAMES]);

const COMPARED: Readonly<Record<(typeof NAMES)[number], (coq: CoqFormulas) => void>> = {
  subtracted_error: (coq) =>
    agree(['top'], (m, { top }, n) => [
      merges.subtractedError({ ...m, subtractsInMerges: true }, n / 64, top),
      coq.evaluate('subtracted_error', { ua: m.accumulation, tiny: m.tiny, m: n / 64, top }),
    ]),
  sigmoid_lse_error: (coq) =>
    agree(['reach'], (m, { reach }, n) => [
      merges.sigmoidLseError({ ...m, subtractsInMerges: true }, n, reach),
      coq.evaluate('sigmoid_lse_error', { ua: m.accumulation, m: n, reach }),
    ]),
  logit_reach: (coq) =>
    agree(['largest', 'slack'], (_, x) => [
      merges.logitReach(x.largest, x.slack),
      coq.evaluate('logit_reach', x),
    ]),
  part_size: (coq) =>
    agree(['top', 'rounded', 'flushes', 'lost'], (_, { top, ...x }) => {
      const at = { ...x, rounded: x.rounded / 256, flushes: x.flushes / 256 };
      return [merges.partialSize(top, at), SLACK * coq.evaluate('part_size', { top, ...at })];
    }),
};

describe('the formulas of merges that subtract', () => {
  for (const name of NAMES) {
    it(`${name} is the one that is proved`, () => COMPARED[name](formulas(source)));

    it(`${name} differs as soon as a constant is another`, () => {
      const body = definition(source, name);
      const changed = [...constantsChanged(body)];
      expect(changed.length).toBeGreaterThan(0);
      for (const text of changed) {
        expect(() => COMPARED[name](formulas(source.replace(body, text)))).toThrow(
          'Property failed',
        );
      }
    });
  }

  it('cost nothing where a profile does not grant them', () => {
    agree(['top'], (m, { top }, n) => [
      merges.subtractedError(m, n, top) + merges.sigmoidLseError(m, n, top),
      0,
    ]);
  });
});
