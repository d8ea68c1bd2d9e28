/**
 * What the theorems ask of the formats, of every profile: spec/bounds.md §6, the table of hypotheses.
 * What they ask of a row is looked at where its bounds are computed, and tested beside it.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { errorModel } from '../../reference/bounds/lemmas/error-model.ts';
import { mostMerges } from '../../reference/bounds/lemmas/merge-errors.ts';
import { PROFILE_NAMES } from '../../reference/bounds/lemmas/profile.ts';
import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import { DTYPES } from '../../reference/case/case.ts';
import { RANK_LIMIT } from '../../reference/case/validate.ts';

const NAMES = PROFILE_NAMES.flatMap((name) => [
  name,
  `${name}+lazy-maximum` as const,
  `${name}+sigmoid-merge+stored-partials` as const,
  `${name}+flushed-subnormals+rounded-sum` as const,
]);
const MODELS = NAMES.flatMap((name) =>
  DTYPES.map((dtype) => ({ name, dtype, m: errorModel(profileFrom(name), dtype, null) })),
);

/** On the way of a key: as many ranks as a case may have, and a sink. */
const MERGES = mostMerges(RANK_LIMIT, true);

describe('what the theorems ask of the formats', () => {
  for (const { name, dtype, m } of MODELS) {
    it(`holds of ${name} on ${dtype} inputs`, () => {
      const { accumulation: ua, exponential: ue, tiny } = m;
      const eta = m.operandTiny + tiny;
      // AttentionAccuracy.v, AttentionBound.v, SigmoidBound.v: Hua, Hue, Heta, Hbeside, Hhp, Hhead, Hup, Hep.
      expect(ua).toBeGreaterThan(0);
      expect(ua).toBeLessThanOrEqual(1 / 128);
      expect(ue).toBeLessThanOrEqual(ua);
      expect(tiny).toBeLessThanOrEqual(ua / 32);
      // Huw, Hew, and of rounded_weight. Hgranted is by form: grantedError.
      expect(m.summed).toBeGreaterThanOrEqual(0);
      expect(m.summed).toBeLessThan(1);
      expect(m.weightTiny).toBeGreaterThanOrEqual(tiny);
      // SigmoidAccuracy.v.
      if (m.subtractsInMerges) expect(ua).toBeLessThanOrEqual(2 ** -16);
      // ExpAccuracy.v.
      expect(ue).toBeLessThanOrEqual(1 / 1024);
      // BackwardModel.v, sane; kept_probability; far_recomputed, far_kept.
      expect(ue).toBeLessThanOrEqual(1 / 4);
      expect(ua).toBeLessThanOrEqual(1 / 16);
      expect(m.stored).toBeLessThanOrEqual(1 / 16);
      expect(tiny).toBeLessThanOrEqual(ua / 4);
      expect(ua).toBeLessThanOrEqual(4 * ue);
      expect(m.probabilities).toBeLessThanOrEqual(1 / 2);
      // far_weight_falls, far_probability_falls: a score's error with its bias (Bias), at most 4096 ranks and
      // a sink; and that who is far stays far, in a sample too.
      const d = m.stored + m.scores * (2 + m.stored);
      const reach = 1 + (20 + 4 * MERGES) * ua;
      const exponential = 2 * (1 + 8 * ue) * (1 + d) * ue;
      const merged = (7 + 2 * MERGES) * reach * ua;
      expect(exponential + merged * (1 + d) + d / 4).toBeLessThanOrEqual(1 / 4);
      const ofP = d + exponential + 10 * ua + merged + 6 * ue;
      expect((1 + 8 * ue) * ofP).toBeLessThanOrEqual(1);
      expect(8 * d + 2 * (16 * m.scores + m.stored)).toBeLessThan(1);
      // ScoreAccuracy.v: us at most 1; DotAccuracy.v: leaves room for a dot product (fewProducts).
      expect(4 * m.operand + 2 * m.input + 4096 * m.scores).toBeLessThanOrEqual(1 / 2);
      const sizes = [
        m.operand,
        m.scores,
        ue,
        m.probabilities,
        ua,
        m.output,
        m.input,
        m.stored,
        m.tanh,
      ];
      for (const x of [
        ...sizes,
        m.partial,
        m.partialTiny,
        m.headroom,
        tiny,
        eta,
        m.outputTiny,
        m.inputTiny,
        m.storedTiny,
      ]) {
        expect(x).toBeGreaterThanOrEqual(0);
      }
    });
  }
});
