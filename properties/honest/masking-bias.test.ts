/**
 * Masks that are biases: honest candidates keep their peace, and almost every element is judged.
 *
 * A causal triangle or padded keys, by every number that programs add for it, with everything else that
 * may be drawn beside. XATTN_RUNS=N draws N cases a profile.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROFILE_NAMES } from '../../reference/bounds/lemmas/profile.ts';
import { EVERYTHING } from '../../reference/case/sampling.ts';
import { elementCount, forEachIndex, type Tensor } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeCounted } from '../../reference/verdict/judge.ts';
import { judgeSample } from '../../reference/verdict/judge-sample.ts';
import { judgedOutputs } from '../../reference/verdict/sampled-expectation.ts';
import { buildCase } from '../arbitraries/attention-case.ts';
import { biasArbitrary, MASKING } from '../arbitraries/bias.ts';
import { honestArbitrary, honestOutputs } from './candidate.ts';

const RUNS = Number(process.env.XATTN_RUNS ?? 150);
const SAMPLED_RUNS = Number(process.env.XATTN_RUNS ?? 50);

/** Biases that mask a few of the keys, so that most rows keep one. */
const masking = biasArbitrary(['normal', 'exact']).chain((bias) =>
  fc.record({
    masked: fc.constantFrom(1, 2, 3, 6),
    masking: fc.constantFrom(...MASKING),
    bias: fc.constant(bias),
  }),
);

describe('honest candidates under biases that mask', () => {
  for (const profile of PROFILE_NAMES) {
    it(`are not refused at ${profile}, over ${RUNS} cases`, () => {
      let [elements, open] = [0, 0];
      fc.assert(
        fc.property(
          honestArbitrary(profile, { regimes: ['normal', 'exact', 'peaked'] }),
          masking,
          ({ recipe, choices }, { bias, ...mask }) => {
            const c = buildCase({ ...recipe, bias: { ...bias, ...mask } });
            const expected = expectation(c, profile);
            const { verdict, open: left } = judgeCounted(
              expected,
              honestOutputs(c, profile, choices),
            );
            if (isFailure(verdict.verdict)) throw new Error(verdict.reason);
            for (const values of Object.values(expected.values)) {
              elements += elementCount(values.shape);
            }
            open += left;
          },
        ),
        { numRuns: RUNS, seed: 20241124 },
      );
      if (process.env.XATTN_SHOW)
        console.log(`${profile}: ${elements - open} of ${elements} judged`);
      expect(open / elements).toBeLessThan(0.35);
    });
  }
});

describe('honest candidates under biases that mask, judged as a sample is', () => {
  for (const profile of PROFILE_NAMES) {
    it(`are not refused at ${profile}, over ${SAMPLED_RUNS} cases`, () => {
      let [elements, judged] = [0, 0];
      fc.assert(
        fc.property(
          honestArbitrary(profile, { regimes: ['normal', 'exact', 'peaked'] }),
          masking,
          ({ recipe, choices }, { bias, ...mask }) => {
            const c = buildCase({ ...recipe, bias: { ...bias, ...mask } });
            const outputs = honestOutputs(c, profile, choices);
            const names = judgedOutputs(c, EVERYTHING);
            const given = Object.fromEntries(names.map((name) => [name, outputs[name]]));
            const { verdict, reason, sample } = judgeSample(c, given, profile, EVERYTHING);
            if (isFailure(verdict)) throw new Error(reason);
            elements += sample?.elements.of ?? 0;
            judged += sample?.elements.judged ?? 0;
          },
        ),
        { numRuns: SAMPLED_RUNS, seed: 20241124 },
      );
      if (process.env.XATTN_SHOW) console.log(`${profile}: ${judged} of ${elements} in samples`);
      expect(judged / elements).toBeGreaterThan(0.1);
    });
  }
});

/** Zero at every second query. */
function silence(tensor: Tensor | undefined, quiet: number): void {
  if (tensor === undefined || quiet === 0) return;
  forEachIndex(tensor.shape, (at) => {
    if ((at[2] ?? 0) % 2 === quiet - 1) tensor.set(...at, 0);
  });
}

/** Biases that mask all keys, or all but a few. */
const alone = biasArbitrary(['normal', 'exact']).chain((bias) =>
  fc.record({
    masked: fc.constantFrom(7, 8),
    masking: fc.constantFrom(-1e6, -3e6, -1e7, -1e8, -1e9),
    // Padded queries: nothing flows back from them.
    quiet: fc.constantFrom(0, 1, 2),
    bias: fc.constant(bias),
  }),
);

describe('honest candidates in rows of masked keys alone', () => {
  for (const profile of PROFILE_NAMES) {
    it(`are not refused at ${profile}, over ${RUNS} cases, and out and LSE have bounds`, () => {
      fc.assert(
        fc.property(
          honestArbitrary(profile, { regimes: ['normal', 'exact', 'peaked'] }),
          alone,
          ({ recipe, choices }, { bias, quiet, ...mask }) => {
            const c = buildCase({ ...recipe, bias: { ...bias, ...mask } });
            for (const name of ['d_out', 'd_lse'] as const) silence(c.inputs[name], quiet);
            const expected = expectation(c, profile);
            const { verdict } = judgeCounted(expected, honestOutputs(c, profile, choices));
            if (isFailure(verdict.verdict)) throw new Error(verdict.reason);
            for (const name of ['out', 'lse'] as const) {
              const excused = expected.excused(name)?.data;
              const open = Array.from(expected.worstCase.of(name, 2 ** -24)?.data ?? []).filter(
                (bound, n) => bound === Number.POSITIVE_INFINITY && excused?.[n] !== true,
              );
              expect([name, open]).toEqual([name, []]);
            }
          },
        ),
        { numRuns: RUNS, seed: 20241124 },
      );
    });
  }
});
