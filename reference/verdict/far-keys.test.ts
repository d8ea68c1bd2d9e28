/**
 * Masks as frameworks add them: a causal triangle or padded keys by −10⁴ to a format's lowest number.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { PROFILE_NAMES, PROFILES, type ProfileName } from '../bounds/lemmas/profile.ts';
import type { AttentionCase, Partition } from '../case/case.ts';
import { type CaseChanges, drawCase } from '../case/draw-case.ts';
import type { GivenOutputs } from '../case/given.ts';
import { referenceOutputs } from '../definition/reference.ts';
import { maxFinite, roundTo } from '../numbers/format.ts';
import { elementCount, forEachIndex, mapTensor, toFlat } from '../numbers/tensor.ts';
import { expectation } from './expectation.ts';
import { judge, judgeAgainst, judgeCounted } from './judge.ts';

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
  // From here on sums of a few of them overflow float64 itself.
  '−2·10³⁰⁷': -2e307,
  'the lowest f64': -maxFinite('f64'),
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

/** The rows that see nothing but masked keys. */
const ALONE = 1;
const alone: Masked = (i) => i === ALONE;
const { fround } = Math;

/** One row in f32 as NumPy computes it, a part for every rank with keys, merged by their LSEs. */
function plainRow(c: AttentionCase, b: number, h: number): { out: number[]; lse: number } {
  const { heads, kv_heads, head_dim, head_dim_v, scale, partition } = c.parameters;
  const { q, k, v, bias } = c.inputs;
  const g = Math.floor(h / (heads / kv_heads));
  const parts: { out: number[]; lse: number }[] = [];
  let first = 0;
  for (const count of partition.kv) {
    const keys = Array.from({ length: count }, (_, n) => first + n);
    first += count;
    if (count === 0) continue;
    const scores = keys.map((j) => {
      let dot = 0;
      for (let e = 0; e < head_dim; e++) {
        dot = fround(dot + fround(q!.get(b, h, ALONE, e) * k!.get(b, g, j, e)));
      }
      return fround(fround(dot * scale) + bias!.get(0, 0, ALONE, j));
    });
    const m = Math.max(...scores);
    const weights = scores.map((s) => fround(Math.exp(fround(s - m))));
    const l = weights.reduce((sum, w) => fround(sum + w), 0);
    const out = Array.from({ length: head_dim_v }, (_, e) =>
      fround(
        keys.reduce((sum, j, n) => fround(sum + fround(weights[n]! * v!.get(b, g, j, e))), 0) / l,
      ),
    );
    parts.push({ out, lse: fround(m + fround(Math.log(l))) });
  }
  return parts.reduce((one, other) => {
    const m = Math.max(one.lse, other.lse);
    const sum = fround(Math.exp(one.lse - m) + Math.exp(other.lse - m));
    const lse = fround(m + fround(Math.log(sum)));
    const [x, y] = [one, other].map((part) => fround(Math.exp(fround(part.lse - lse))));
    return {
      out: one.out.map((o, e) => fround(fround(x! * o) + fround(y! * (other.out[e] ?? 0)))),
      lse,
    };
  });
}

/** An answer with other numbers in those rows. */
function replaced(
  c: AttentionCase,
  right: GivenOutputs,
  row: (b: number, h: number) => { out?: (e: number) => number; lse?: number },
): GivenOutputs {
  const { batch, heads, head_dim_v } = c.parameters;
  const changed = Object.fromEntries(
    Object.entries(right).map(([name, { dtype, tensor }]) => [
      name,
      { dtype, tensor: mapTensor(tensor, (x) => x) },
    ]),
  );
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const { out, lse } = row(b, h);
      for (let e = 0; e < head_dim_v; e++) {
        if (out !== undefined) changed.out!.tensor.set(b, h, ALONE, e, out(e));
      }
      if (lse !== undefined) changed.lse!.tensor.set(b, h, ALONE, lse);
    }
  }
  return changed;
}

describe('rows of masked keys alone', () => {
  for (const low of [-1e7, -1e8, -1e9]) {
    it(`${low}: out and LSE have a bound, which holds rounded scores and merges of them`, () => {
      for (const profile of PROFILE_NAMES) {
        for (const draw of RANKS.keys()) {
          const c = masked(profile, low, alone, draw);
          const expected = expectation(c, profile);
          for (const name of ['out', 'lse'] as const) {
            const { data } = expected.worstCase.of(name, 2 ** -24)!;
            expect([profile, name, Array.from(data).every(Number.isFinite)]).toEqual([
              ...[profile, name, true],
            ]);
          }
          const right = answering(c, profile, (x) => x);
          expect([profile, judgeAgainst(expected, right).verdict]).toEqual([profile, 'pass']);
          if (profile === 'f64') continue;
          const plain = replaced(c, right, (b, h) => {
            const { out, lse } = plainRow(c, b, h);
            return { out: (e) => out[e] ?? 0, lse };
          });
          expect([profile, draw, judgeAgainst(expected, plain).verdict]).toEqual([
            ...[profile, draw, 'pass'],
          ]);
        }
      }
    });

    it(`${low}: what is no average, or an LSE of 0 or −∞, is refused`, () => {
      for (const profile of PROFILE_NAMES) {
        for (const draw of RANKS.keys()) {
          const c = masked(profile, low, alone, draw);
          const expected = expectation(c, profile);
          const right = answering(c, profile, (x) => x);
          const largest = Math.max(...Array.from(c.inputs.v!.data, Math.abs));
          const far = 10 * largest * c.parameters.partition.ranks;
          const wrong = {
            'no average': { out: () => far },
            'no average, below': { out: () => -far },
            'no number': { out: () => Number.NaN },
            'an LSE of 0': { lse: 0 },
            'an LSE of nothing': { lse: Number.NEGATIVE_INFINITY },
            'an LSE of half': { lse: low / 2 },
          };
          for (const [name, row] of Object.entries(wrong)) {
            const verdict = judgeAgainst(
              expected,
              replaced(c, right, () => row),
            );
            expect([profile, draw, name, verdict.verdict]).toEqual([
              ...[profile, draw, name, 'impossible'],
            ]);
          }
        }
      }
    });
  }

  for (const low of [-1e6, -3e6, -1e7]) {
    it(`${low}: from which nothing flows back, dV is judged as if they were not there, dK up to −3·10⁶`, () => {
      const quiet = (hidden: Masked): AttentionCase => {
        const c = masked('f32', low, hidden);
        for (const name of ['d_out', 'd_lse'] as const) {
          const tensor = c.inputs[name]!;
          forEachIndex(tensor.shape, (at) => {
            if (at[2] === ALONE) tensor.set(...at, 0);
          });
        }
        return c;
      };
      const [c, others] = [quiet(alone), quiet(() => false)];
      const [expected, plain] = [expectation(c, 'f32'), expectation(others, 'f32')];
      for (const name of low === -1e7 ? (['d_v'] as const) : (['d_v', 'd_k'] as const)) {
        expect(expected.excused(name)?.data ?? []).not.toContain(true);
        const [with_, without] = [expected, plain].map(({ worstCase }) =>
          Math.max(...toFlat(worstCase.of(name, 2 ** -24)!)),
        );
        expect([name, with_! < 2 * without!]).toEqual([name, true]);
        const right = answering(c, 'f32', (x) => x);
        expect(judgeAgainst(expected, right).verdict).toBe('pass');
        right[name]!.tensor.set(0, 0, 8, 0, right[name]!.tensor.get(0, 0, 8, 0) + 0.01);
        expect([name, judgeAgainst(expected, right).verdict]).toEqual([name, 'impossible']);
      }
    });
  }

  it('leave no P a number from −10⁸ on: NaN times a cotangent of 0 is excused', () => {
    for (const low of [-1e8, -1e9]) {
      const c = masked('f32', low, alone);
      for (const name of ['d_out', 'd_lse'] as const) {
        c.inputs[name] = mapTensor(c.inputs[name]!, () => 0);
      }
      const { excused } = expectation(c, 'f32');
      for (const name of ['d_q', 'd_k', 'd_v'] as const) {
        expect([low, name, Array.from(excused(name)?.data ?? []).includes(true)]).toEqual([
          low,
          name,
          true,
        ]);
      }
    }
  });

  it('lets the LSE of −10⁹ be some ULP off, more of them where more is merged', () => {
    // Pinned: an ULP is 64 there. What one rank may lose, five, and two.
    const bounds = [...RANKS.keys()].map((draw) => {
      const c = masked('f32', -1e9, alone, draw);
      return (
        expectation(c, 'f32')
          .worstCase.of('lse', 2 ** -24)!
          .get(0, 0, ALONE) / 64
      );
    });
    expect(bounds.map(Math.floor)).toEqual([46, 76, 54]);
  });

  it('is what any number of parts may add up to: each brings the LSE that all have', () => {
    // Nine parts of one key each: their LSEs and the LSE of all round to one number, each weight to 1.
    const c = masked('f32', -1e9, alone);
    const right = answering(c, 'f32', (x) => x);
    const { heads, kv_heads, seq_kv } = c.parameters;
    const added = replaced(c, right, (b, h) => ({
      out: (e) => {
        let sum = 0;
        for (let j = 0; j < seq_kv; j++) {
          sum += c.inputs.v!.get(b, Math.floor(h / (heads / kv_heads)), j, e);
        }
        return fround(sum);
      },
    }));
    expect(judge(c, added, 'f32').verdict).toBe('pass');
  });

  it.each(['f32', 'f64'] as const)(
    'asks nothing of a row of the lowest numbers of %s, whose differences overflow',
    (profile) => {
      const c = masked(profile, -maxFinite(profile), alone);
      const right = answering(c, profile, (x) => x);
      const lost = replaced(c, right, () => ({
        out: () => Number.NaN,
        lse: Number.NEGATIVE_INFINITY,
      }));
      expect(judge(c, lost, profile).verdict).toBe('pass');
      const other = replaced(c, right, () => ({}));
      other.out!.tensor.set(0, 0, ALONE + 1, 0, 2);
      expect(judge(c, other, profile).verdict).toBe('impossible');
    },
  );
});
