import { describe, expect, it } from 'vitest';
import { PROFILE_NAMES } from '../bounds/lemmas/profile.ts';
import type { AttentionCase, OutputName, Outputs } from '../case/case.ts';
import { type CaseChanges, drawCase } from '../case/draw-case.ts';
import type { GivenOutputs } from '../case/given.ts';
import { EVERYTHING, type Sample, sampledOutput } from '../case/sampling.ts';
import { referenceOutputs } from '../definition/reference.ts';
import { certify } from '../kernels/float64/certify.ts';
import {
  elementCount,
  forEachIndex,
  indexOf,
  type Tensor,
  tensorOf,
  toFlat,
} from '../numbers/tensor.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { expectation, LARGE } from './expectation.ts';
import { judge } from './judge.ts';
import { judgeSample, shareOf, shareSentence } from './judge-sample.ts';
import { judgedOutputs, sampledExpectation } from './sampled-expectation.ts';

/** With a single key the largest magnitudes are the key's own: nothing hides what is left out. */
const SINGLE: [string, CaseChanges][] = [
  ['one key under a softcap', { seq_kv: 1, softcap: 2 }],
  ['one key beside a sink', { seq_kv: 1, sink: true, softcap: 0.5, bias: [1, 1, 1, 1] }],
  ['one recomputed key', { seq_kv: 1, dim_y: 7, kv_heads: 2 }],
  ['one recomputed key of one component', { seq_kv: 1, dim_y: 2, head_dim: 1, head_dim_v: 1 }],
  [
    // What is lost near zero is all that counts, and what of it the errors of K and V make.
    'one recomputed key near zero',
    {
      ...{ seq_kv: 1, dim_y: 2, head_dim: 1, head_dim_v: 1, dtype: 'f64', dLse: false },
      ...{ scale: 2 ** 22, dropout_rate: 1 - 2 ** -13 },
      adjust: ({ q, d_out, y, w_k, w_v, dropout_keep }) => {
        const times = (tensor: Tensor | undefined, factor: number) =>
          forEachIndex(tensor!.shape, (at) => tensor!.set(...at, tensor!.get(...at) * factor));
        for (const tensor of [y, w_k, w_v]) times(tensor, 2 ** -12);
        for (const tensor of [q, d_out]) times(tensor, 2 ** -30);
        forEachIndex(dropout_keep!.shape, (at) => dropout_keep!.set(...at, 1));
      },
    },
  ],
];
/** Biases that mask all keys after the row's own, beside whatever they were. */
const MASKED: [string, CaseChanges][] = ([-3000, -1e6, -1e9, -3e38] as const).flatMap((mask) => {
  const masked: CaseChanges = {
    bias: [4, 9],
    adjust: ({ bias }) =>
      forEachIndex(bias!.shape, ([i = 0, j = 0]) => {
        if (j > 2 * i) bias!.set(i, j, Math.fround(mask));
      }),
  };
  return [
    [`keys masked by ${mask}`, masked],
    [
      `recomputed keys masked by ${mask} beside a sink`,
      { ...masked, ...{ dim_y: 7, sink: true, dropout_rate: 0.25, softcap: 3 } },
    ],
  ];
});
const cases = [...FEATURE_CASES, ...SINGLE, ...MASKED];

function partOf(c: AttentionCase, sample: Sample, name: OutputName, whole: Tensor): number[] {
  const place = sampledOutput(c, sample, name);
  return Array.from({ length: elementCount(place.shape) }, (_, flat) =>
    whole.get(...indexOf(place.whole, place.wholeFlat(flat))),
  );
}

/** Outputs as a candidate stores them, of a sample. */
function given(c: AttentionCase, sample: Sample, outputs: Outputs): GivenOutputs {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([key, tensor]) => {
      const name = key as OutputName;
      if (!judgedOutputs(c, sample).includes(name)) return [];
      const { shape } = sampledOutput(c, sample, name);
      return [[name, { dtype: 'F64', tensor: tensorOf(partOf(c, sample, name, tensor), shape) }]];
    }),
  );
}

describe('the expectation of a sample', () => {
  for (const [feature, changes] of cases) {
    it(`holds the answer, and never a smaller bound than that of the whole, with ${feature}`, () => {
      for (const profile of PROFILE_NAMES) {
        const c = drawCase(5, { ...changes, judging: 'random' });
        const whole = expectation(c, profile);
        const { seq_q, seq_kv } = c.parameters;
        const some = { rows: seq_q > 1 ? [0, seq_q - 1] : [0], keys: seq_kv > 2 ? [0, 2] : null };
        for (const sample of [EVERYTHING, some]) {
          const part = sampledExpectation(c, profile, sample, 1);
          const left = ['d_bias', 'd_sink', ...(sample === EVERYTHING ? [] : ['d_w_k', 'd_w_v'])];
          const judged = c.parameters.wants.filter((name) => !left.includes(name));
          expect(Object.keys(part.values)).toEqual(judged);
          let compared = 0;
          for (const [key, values] of Object.entries(part.values)) {
            const name = key as OutputName;
            const exact = partOf(c, sample, name, whole.values[name]!);
            const [bounds, sharp] = [part.worstCase.of(name, 0)!, whole.worstCase.of(name, 0)!];
            const [likely, sharper] = [
              part.probabilistic!.of(name, 0)!,
              whole.probabilistic!.of(name, 0)!,
            ];
            const flats = [bounds, likely].map(toFlat);
            const others = [sharp, sharper].map((tensor) => partOf(c, sample, name, tensor));
            toFlat(values).forEach((value, n) => {
              for (const model of [0, 1]) {
                const [bound, least] = [flats[model]![n]!, others[model]![n]!];
                // The two midpoints differ, and each bound has the radius of its own in it.
                const off = Math.abs(value - exact[n]!) || 0;
                expect(off <= bound, `${name} ${n}: ${value} ${exact[n]}`).toBe(true);
                // Near zero the double-double kernels of the whole lose 2⁻⁶⁹⁰ a term.
                expect(
                  bound + 2 ** -650 >= least * (1 - 1e-6) || bound === Number.POSITIVE_INFINITY,
                  `${name} ${n} ${profile}: ${bound} < ${least}`,
                ).toBe(true);
              }
              compared++;
            });
          }
          expect(compared).toBeGreaterThan(0);
        }
      }
    });
  }
});

describe('a case too large for the definition over balls', () => {
  it.each([
    ['given', {}],
    ['recomputed', { dim_y: 24, scale: 2 ** -7 }],
  ] as const)('is judged whole by the kernels, keys %s, and is not called a sample', (_, keys) => {
    const shape = {
      heads: 2,
      kv_heads: 1,
      seq_q: 64,
      seq_kv: 4096,
      head_dim: 256,
      head_dim_v: 256,
    };
    const c = drawCase(6, { ...shape, ...keys, wants: ['out', 'lse'], gradients: false });
    expect(shape.heads * shape.seq_q * shape.seq_kv * 512).toBeGreaterThanOrEqual(LARGE);
    const outputs = Object.fromEntries(
      Object.entries(certify(c)).map(([name, { mid }]) => [
        name,
        { dtype: 'F32', tensor: tensorOf(toFlat(mid).map(Math.fround), mid.shape) },
      ]),
    ) as GivenOutputs;
    expect(judge(c, outputs, 'f32')).toMatchObject({
      verdict: 'pass',
      reason: 'within the bounds',
    });
    expect(judge(c, outputs, 'f32').sample).toBeUndefined();
    const { tensor } = outputs.out!;
    tensor.set(0, 1, 63, 63, tensor.get(0, 1, 63, 63) + 1);
    const wrong = judge(c, outputs, 'f32');
    expect([wrong.verdict, wrong.outputs.out?.worst_index]).toEqual(['impossible', [0, 1, 63, 63]]);
  });
});

describe('the bounds of a sample', () => {
  it('are some times those of the whole, on plain values: three for dK, seven for dQ', () => {
    const most: Readonly<Record<string, number>> = { d_k: 3, d_q: 7 };
    const c = drawCase(5, {
      seq_q: 4,
      seq_kv: 300,
      head_dim: 32,
      head_dim_v: 32,
      judging: 'random',
    });
    const [whole, part] = [expectation(c, 'f32'), sampledExpectation(c, 'f32', EVERYTHING, 1)];
    for (const name of c.parameters.wants) {
      const [few, many] = [part.probabilistic!, whole.probabilistic!].map((bounds) =>
        toFlat(bounds.of(name, 2 ** -24)!),
      );
      const ratios = few!.map((x, n) => x / many![n]!).sort((a, b) => a - b);
      expect(ratios[0], name).toBeGreaterThan(1 - 1e-6);
      expect(ratios.at(-1), name).toBeLessThan(most[name] ?? 1.5);
    }
  });
});

describe('the judge of a sample', () => {
  const changes: CaseChanges = { seq_q: 12, seq_kv: 40, judging: 'random', dtype: 'f32' };
  const c = drawCase(8, changes);
  const outputs = referenceOutputs(c);
  const sample: Sample = { rows: [3, 7], keys: [0, 39] };

  it('passes what is right, and says which share that is', () => {
    const verdict = judgeSample(c, given(c, sample, outputs), 'f32', sample);
    expect(verdict.verdict).toBe('pass');
    expect(verdict.sample).toEqual(shareOf(c, sample));
    expect(verdict.reason).toBe(
      'within the bounds (sample: 2 of 12 query rows, 2 of 40 keys, 9.57 % of the elements)',
    );
  });

  for (const name of ['out', 'lse', 'd_q', 'd_k', 'd_v'] as const) {
    it(`refuses a wrong ${name} at its place in the whole output, and is blind outside the sample`, () => {
      const spoilt = (axis: number): GivenOutputs => {
        const whole = outputs[name]!;
        const copy = tensorOf(toFlat(whole), whole.shape);
        const at = whole.shape.map((n, k) => (k === 2 ? axis : n - 1));
        copy.set(...(at as [number]), whole.get(...at) + 0.5);
        return given(c, sample, { ...outputs, [name]: copy });
      };
      const inside = ['d_k', 'd_v'].includes(name) ? 39 : 7;
      const verdict = judgeSample(c, spoilt(inside), 'f32', sample);
      expect(verdict.verdict).toBe('impossible');
      expect(verdict.outputs[name]?.worst_index[2]).toBe(inside);
      expect(verdict.reason).toContain('(sample: 2 of 12 query rows');
      expect(judgeSample(c, spoilt(inside - 1), 'f32', sample).verdict).toBe('pass');
    });
  }

  it('has the whole of an exact answer, off by no more than the radius', () => {
    const exact = drawCase(8, { ...changes, judging: 'exact', gradients: false });
    const right = given(exact, sample, referenceOutputs(exact));
    expect(judgeSample(exact, right, 'f32', sample).verdict).toBe('pass');
    const out = right.out!.tensor;
    out.set(0, 0, 0, 0, out.get(0, 0, 0, 0) * (1 + 2 ** -30));
    expect(judgeSample(exact, right, 'f32', sample).verdict).toBe('impossible');
  });

  it('does not count among the judged what has no finite bound', () => {
    // Scores of some heads are beyond what any bound speaks of.
    const farIn = (heads: number): AttentionCase =>
      drawCase(8, {
        ...{ ...changes, wants: ['out', 'lse'], gradients: false },
        adjust: ({ q }, p) => {
          const end = (q!.data.length * heads) / p.heads;
          for (let n = 0; n < end; n++) q!.data[n] = (q!.data[n] ?? 0) * 2 ** 20;
        },
      });
    const far = farIn(1);
    const {
      verdict,
      reason,
      sample: share,
    } = judgeSample(far, given(far, sample, referenceOutputs(far)), 'f32', sample);
    const { judged, of } = shareOf(far, sample).elements;
    const unbounded = Number(/ (\d+) elements have no finite bound/.exec(reason)?.[1]);
    expect([verdict, unbounded > 0]).toEqual(['pass', true]);
    expect(share?.elements).toEqual({ judged: judged - unbounded, of });
    expect(reason).toContain(shareSentence(share!));
    const nothing = farIn(2);
    const answer = given(nothing, sample, referenceOutputs(nothing));
    expect(judgeSample(nothing, answer, 'f32', sample).verdict).toBe('skip');
  });

  it('refuses a sample with nothing in it', () => {
    const none = { rows: [], keys: [] };
    expect(() => judgeSample(c, {}, 'f32', none)).toThrow(
      'a sample expected an element to judge; sample: 0 of 12 query rows, 0 of 40 keys, 0 % of',
    );
  });

  it('never says all of what is not all, and names what it left out', () => {
    const share = shareOf(drawCase(1, { sink: true }), { rows: [1], keys: null });
    expect(share.not_judged).toEqual(['d_sink']);
    const nearly = { judged: 99_999, of: 100_000 };
    const sentence = shareSentence({
      rows: nearly,
      keys: nearly,
      elements: nearly,
      not_judged: ['d_bias'],
    });
    expect(sentence).toBe(
      'sample: 99999 of 100000 query rows, 99999 of 100000 keys, 99.9 % of the elements; not judged: d_bias',
    );
  });
});
