/**
 * Masks as frameworks add them: a causal triangle or padded keys by −10⁴ to a format's lowest number.
 * @module
 */
import { describe, expect, it } from 'vitest';
import type { AttentionCase, Partition } from './case.ts';
import { type CaseChanges, drawCase } from './draw-case.ts';
import { expectation } from './expectation.ts';
import { maxFinite, roundTo } from './format.ts';
import { type GivenOutputs, judge, judgeAgainst, judgeCounted } from './judge.ts';
import { PROFILE_NAMES, PROFILES, type ProfileName } from './profile.ts';
import { referenceOutputs } from './reference.ts';
import { elementCount, mapTensor } from './tensor.ts';

const dtypeOf = (profile: ProfileName) => (profile === 'tf32' ? 'f32' : profile);

/** What a mask adds: of one format, as far as the case's holds it. */
const LOWS: Readonly<Record<string, number>> = {
  '−10⁴': -1e4,
  '−10⁶': -1e6,
  '−10⁷': -1e7,
  '−10⁹': -1e9,
  'the lowest f16': -maxFinite('f16'),
  'the lowest bf16': -maxFinite('bf16'),
  'the lowest f32': -maxFinite('f32'),
};

type Masked = (i: number, j: number) => boolean;
const causal: Masked = (i, j) => j > i + 2;
const padded: Masked = (_, j) => j < 2 || j > 6;

const RANKS: readonly (Partition | undefined)[] = [
  undefined,
  { ranks: 5, q: [1, 1, 0, 1, 1], kv: [2, 0, 3, 1, 3] },
  { ranks: 2, q: [2, 2], kv: [2, 7] },
];

/** GQA, a bias [1, 1, Sq, Skv] that masks, gradients. Odd draws are split over ranks. */
function masked(profile: ProfileName, low: number, hidden: Masked, draw = 0): AttentionCase {
  const dtype = dtypeOf(profile);
  const number = roundTo(dtype, Math.max(low, -maxFinite(dtype)));
  const partition = RANKS[draw % RANKS.length];
  const changes: CaseChanges = {
    ...{ dtype, heads: 4, kv_heads: 2, bias: [1, 1, 4, 9], seq_q: 4, seq_kv: 9, gradients: true },
    ...(partition === undefined ? {} : { partition }),
  };
  return drawCase(3 + draw, {
    ...changes,
    adjust: ({ bias }) => {
      for (let n = 0; n < (bias?.data.length ?? 0); n++) {
        bias!.data[n] = hidden(Math.floor(n / 9), n % 9) ? number : 0;
      }
    },
  });
}

/** What a program answers that reads another bias than the case's. */
function answering(c: AttentionCase, profile: ProfileName, bias: (x: number, n: number) => number) {
  let n = 0;
  const read = mapTensor(c.inputs.bias!, (x) => bias(x, n++));
  return given(referenceOutputs({ ...c, inputs: { ...c.inputs, bias: read } }), profile);
}

const given = (outputs: ReturnType<typeof referenceOutputs>, profile: ProfileName): GivenOutputs =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [
      name,
      {
        dtype: profile === 'f64' ? 'F64' : 'F32',
        tensor: mapTensor(tensor, (x) => (profile === 'f64' ? x : Math.fround(x))),
      },
    ]),
  );

describe('keys masked by a number', () => {
  for (const [name, low] of Object.entries(LOWS)) {
    it(`${name}: every element is judged, whoever does not mask, or masks another key, is refused`, () => {
      for (const profile of PROFILE_NAMES) {
        for (const [draw, hidden] of [causal, padded, causal].entries()) {
          const c = masked(profile, low, hidden, draw);
          const expected = expectation(c, profile);
          const judged = judgeCounted(
            expected,
            answering(c, profile, (x) => x),
          );
          expect([profile, judged.verdict.verdict, judged.open]).toEqual([profile, 'pass', 0]);
          const ignoring = judgeAgainst(
            expected,
            answering(c, profile, () => 0),
          );
          expect([profile, ignoring.verdict]).toEqual([profile, 'impossible']);
          // One masked key less in the last row but one.
          const wrong = (x: number, n: number) => (Math.floor(n / 9) === 2 && n % 9 === 8 ? 0 : x);
          const leaking = judgeAgainst(expected, answering(c, profile, wrong));
          expect([profile, leaking.verdict]).toEqual([profile, 'impossible']);
        }
      }
    });
  }

  it('refuses NaN and infinities in such a row, and in every gradient', () => {
    for (const profile of PROFILE_NAMES) {
      for (const low of [-1e4, -1e9, -maxFinite('f32')]) {
        const c = masked(profile, low, causal);
        const expected = expectation(c, profile);
        const right = answering(c, profile, (x) => x);
        for (const [name, { dtype, tensor }] of Object.entries(right)) {
          for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
            let n = 0;
            const spoilt = mapTensor(tensor, (x) =>
              n++ === elementCount(tensor.shape) - 1 ? bad : x,
            );
            const verdict = judgeAgainst(expected, { ...right, [name]: { dtype, tensor: spoilt } });
            expect([profile, name, bad, verdict.verdict]).toEqual([
              profile,
              name,
              bad,
              'impossible',
            ]);
          }
        }
      }
    }
  });

  it('leaves the bounds of the others where they are', () => {
    for (const profile of PROFILE_NAMES) {
      const { tiny, operandTiny } = PROFILES[profile];
      // What a masked key itself may lose near zero depends on its score.
      const near = 1000 * (tiny + operandTiny);
      const [low, lowest] = [-1e4, -maxFinite('f32')].map((x) =>
        expectation(masked(profile, x, causal), profile),
      );
      for (const name of ['out', 'd_q', 'd_k', 'd_v'] as const) {
        const of = (one: typeof low) => Array.from(one!.worstCase.of(name, 2 ** -24)!.data);
        const b = of(lowest);
        of(low).forEach((bound, n) => {
          expect(Math.abs((b[n] ?? 0) - bound)).toBeLessThan(1e-4 * bound + near);
        });
      }
    }
  });

  it('is judged through the verdict of a whole case too', () => {
    const c = masked('f32', -1e9, padded, 1);
    expect(
      judge(
        c,
        answering(c, 'f32', (x) => x),
        'f32',
      ),
    ).toMatchObject({
      verdict: 'pass',
      reason: 'within the bounds',
    });
  });
});
