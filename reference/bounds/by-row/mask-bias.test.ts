import { describe, expect, it } from 'vitest';
import type { AttentionCase, Outputs } from '../../case/case.ts';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import type { GivenOutputs } from '../../case/given.ts';
import { type Sample, sampledOutput } from '../../case/sampling.ts';
import { referenceOutputs } from '../../definition/reference.ts';
import { maxFinite, roundTo } from '../../numbers/format.ts';
import {
  elementCount,
  forEachIndex,
  indexOf,
  mapTensor,
  tensorOf,
  toFlat,
} from '../../numbers/tensor.ts';
import { judgeSample } from '../../verdict/judge-sample.ts';
import { judgedOutputs, sampledExpectation } from '../../verdict/sampled-expectation.ts';
import { PROFILE_NAMES } from '../lemmas/profile.ts';
import { biasSplits } from './mask-bias.ts';

/** A causal mask that is a bias, beside what the bias was; `whole`: rows that have no key left. */
const causal = (mask: number, changes: CaseChanges = {}, whole = 0): AttentionCase =>
  drawCase(9, {
    ...{ seq_q: 12, seq_kv: 40, bias: [12, 40], judging: 'structured', ...changes },
    adjust: ({ bias }) =>
      forEachIndex(bias!.shape, ([i = 0, j = 0]) => {
        if (j > 28 + i || i >= 12 - whole) bias!.set(i, j, roundTo(changes.dtype ?? 'f32', mask));
      }),
  });

/** The sample's part of outputs, as a candidate would hand it over. */
function given(c: AttentionCase, sample: Sample, outputs: Outputs): GivenOutputs {
  return Object.fromEntries(
    judgedOutputs(c, sample).map((name) => {
      const { shape, whole, wholeFlat } = sampledOutput(c, sample, name);
      const part = Array.from({ length: elementCount(shape) }, (_, flat) =>
        outputs[name]!.get(...indexOf(whole, wholeFlat(flat))),
      );
      return [name, { dtype: 'F64', tensor: tensorOf(part, shape) }];
    }),
  );
}

const SAMPLE: Sample = { rows: [0, 5, 11], keys: [0, 33, 39] };

describe('a sample of a case whose mask is a bias', () => {
  for (const profile of PROFILE_NAMES) {
    it(`has bounds at ${profile}, that refuse what is wrong`, () => {
      const plain = sampledExpectation(causal(-1), profile, SAMPLE, 1);
      for (const mask of [-1e4, -1e6, -1e9, -maxFinite('f32')]) {
        const c = causal(mask);
        const expected = sampledExpectation(c, profile, SAMPLE, 1);
        const outputs = referenceOutputs(c);
        for (const name of judgedOutputs(c, SAMPLE)) {
          // At f16 dS may overflow as an operand, masked or not.
          if (plain.excused(name) !== undefined) continue;
          const largest = Math.max(...toFlat(expected.worstCase.of(name, 2 ** -24)!));
          const before = Math.max(...toFlat(plain.worstCase.of(name, 2 ** -24)!));
          // In f64 the radius of −10⁹ itself is in it.
          const most = profile === 'f64' ? 1e-5 : 1.5 * before;
          expect([mask, name, largest <= most]).toEqual([mask, name, true]);
        }
        expect(judgeSample(c, given(c, SAMPLE, outputs), profile, SAMPLE).verdict).toBe('pass');
        for (const name of ['out', 'lse', 'd_q', 'd_k', 'd_v'] as const) {
          const wrong = { ...outputs, [name]: mapTensor(outputs[name]!, (x) => x + 8) };
          const { verdict } = judgeSample(c, given(c, SAMPLE, wrong), profile, SAMPLE);
          const seen = plain.excused(name) === undefined ? 'impossible' : 'pass';
          expect([mask, name, verdict]).toEqual([mask, name, seen]);
        }
      }
    });
  }

  it('sees a kernel that ignores the mask', () => {
    for (const [profile, mask] of [
      ...[-1e9, -maxFinite('f32')].map((x) => ['f32', x] as const),
      ...[-2e307, -maxFinite('f64')].map((x) => ['f64', x] as const),
    ]) {
      const dtype = { dtype: profile };
      const c = causal(mask, dtype);
      const ignored = drawCase(9, {
        ...{ ...dtype, seq_q: 12, seq_kv: 40, bias: [12, 40], judging: 'structured' },
      });
      const answers = [c, ignored].map((one) => given(c, SAMPLE, referenceOutputs(one)));
      const verdicts = answers.map((answer) => judgeSample(c, answer, profile, SAMPLE));
      expect([mask, ...verdicts.map(({ verdict }) => verdict)]).toEqual([
        ...[mask, 'pass', 'impossible'],
      ]);
      // All but dBias: rows of out, LSE and dQ, keys of dK and dV, of two heads.
      expect([mask, verdicts[0]?.sample?.elements.judged]).toEqual([mask, 132]);
    }
  });

  it.each([-1e9, -maxFinite('f32')])(
    'says nothing of a row of masked keys alone (%d), and of keys, which such a row sees; but of other rows',
    (mask) => {
      const c = causal(mask, {}, 1);
      const outputs = referenceOutputs(c);
      const others: Sample = { rows: [0, 5], keys: [3] };
      const { excused } = sampledExpectation(c, 'f32', others, 1);
      expect(judgedOutputs(c, others).filter((name) => excused(name) !== undefined)).toEqual([
        'd_k',
        'd_v',
      ]);
      const spoilt = { ...outputs, d_q: tensorOf(toFlat(outputs.d_q!), outputs.d_q!.shape) };
      spoilt.d_q.set(0, 0, 5, 0, 4);
      expect(judgeSample(c, given(c, others, spoilt), 'f32', others).verdict).toBe('impossible');
      const own: Sample = { rows: [11], keys: [] };
      expect(judgeSample(c, given(c, own, outputs), 'f32', own).verdict).toBe('skip');
    },
  );
});

describe('the splits of a bias', () => {
  it('tell what is below a threshold from all else, whatever its sign', () => {
    const bias = tensorOf([-1, 5000, -3000, -1e9, Number.NEGATIVE_INFINITY, Number.NaN, -2e5], [7]);
    expect(biasSplits(bias)).toEqual([
      { near: 5000, from: 3000, to: 1e9 },
      { near: 5000, from: 2e5, to: 1e9 },
      { near: 5000, from: 2e5, to: 1e9 },
    ]);
    expect(biasSplits(tensorOf([-1, -2000, 1e9], [3]))).toEqual([]);
    // Lower than LOWEST_BIAS counts as that.
    expect(biasSplits(tensorOf([-1, -maxFinite('f64')], [2]))[0]).toEqual({
      ...{ near: 1, from: 2 ** 1000, to: 2 ** 1000 },
    });
  });
});
