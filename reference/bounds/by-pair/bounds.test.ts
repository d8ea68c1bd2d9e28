import { describe, expect, it } from 'vitest';
import type { AttentionCase, Dtype, OutputName } from '../../case/case.ts';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import type { GivenOutputs } from '../../case/given.ts';
import { evaluate, referenceOutputs } from '../../definition/reference.ts';
import type { Arithmetic } from '../../numbers/arithmetic.ts';
import { float64 } from '../../numbers/float64.ts';
import { roundTo } from '../../numbers/format.ts';
import { mapTensor } from '../../numbers/tensor.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { expectation } from '../../verdict/expectation.ts';
import { judge, judgeAgainst } from '../../verdict/judge.ts';
import type { ProfileName } from '../lemmas/profile.ts';

/** Float64 with every result rounded to a format: an honest sequential candidate. */
function rounded(format: 'f32' | 'f64'): Arithmetic<number> {
  const r = (x: number) => roundTo(format, x);
  return {
    ...float64,
    name: format,
    fromNumber: r,
    add: (a, b) => r(a + b),
    sub: (a, b) => r(a - b),
    mul: (a, b) => r(a * b),
    div: (a, b) => r(a / b),
    exp: (x) => r(float64.exp(x)),
    log: (x) => r(float64.log(x)),
    tanh: (x) => r(float64.tanh(x)),
  };
}

/** What the emulated candidate of a profile answers. */
function emulate(c: AttentionCase, profile: ProfileName): GivenOutputs {
  const accumulate = profile === 'f64' ? 'f64' : 'f32';
  const output = profile === 'tf32' ? 'f32' : profile;
  const given: GivenOutputs = {};
  for (const [name, tensor] of Object.entries(evaluate(rounded(accumulate), c))) {
    const format = name === 'lse' ? accumulate : output;
    const dtype = accumulate === 'f64' ? 'F64' : 'F32';
    given[name as OutputName] = {
      dtype,
      tensor: mapTensor(tensor, (x) => (x === null ? -Infinity : roundTo(format, x))),
    };
  }
  return given;
}

const CASES: readonly (readonly [string, CaseChanges])[] = [
  ...FEATURE_CASES,
  ['peaked', { scale: 2 }],
  ['many keys', { seq_q: 2, seq_kv: 300 }],
  ['seven ranks', { partition: { ranks: 7, q: [1, 0, 1, 0, 2, 0, 0], kv: [0, 3, 1, 1, 1, 1, 2] } }],
];

describe('bounds', () => {
  for (const profile of ['f64', 'f32', 'tf32', 'f16', 'bf16'] as const) {
    it(`never refuse honest ${profile} work, and are finite`, () => {
      const table: string[] = [];
      for (const [feature, changes] of CASES) {
        const dtype = profile === 'tf32' ? 'f32' : profile;
        const c = drawCase(11, { ...changes, dtype });
        const expected = expectation(c, profile);
        const verdict = judgeAgainst(expected, emulate(c, profile));
        table.push(
          `${feature}: ${Object.entries(verdict.outputs)
            .map(([n, r]) => `${n} ${r.max_bound_fraction.toPrecision(2)}`)
            .join(' ')}`,
        );
        expect(`${feature}: ${verdict.verdict}, ${verdict.reason}`).toBe(
          `${feature}: pass, within the bounds`,
        );
      }
      if (process.env.XATTN_SHOW) console.log(`${profile}\n${table.join('\n')}`);
    });
  }

  describe('of scores that may be off by one and more', () => {
    // A bias near ±300 or ±30000, in f32: stored in bf16 it is off by up to 1 or 64, and so is the score.
    const CHANGES: CaseChanges = { bias: [4, 9], gradients: false };
    const biased = (dtype: Dtype, of: (drawn: number, n: number) => number): AttentionCase =>
      drawCase(5, {
        ...{ ...CHANGES, dtype },
        adjust: ({ bias }) => {
          for (let n = 0; n < (bias?.data.length ?? 0); n++) {
            bias!.data[n] = roundTo(dtype, of(bias!.data[n] ?? 0, n));
          }
        },
      });
    const given = (outputs: ReturnType<typeof referenceOutputs>): GivenOutputs =>
      mapOutputs(outputs, (x) => Math.fround(x));
    const mapOutputs = (
      outputs: ReturnType<typeof referenceOutputs>,
      change: (x: number) => number,
    ): GivenOutputs =>
      Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [
          name,
          { dtype: 'F32', tensor: mapTensor(tensor, change) },
        ]),
      );

    const BIASES: Readonly<Record<string, (drawn: number, n: number) => number>> = {
      'near ±100': (drawn) => 100 * drawn,
      'near ±300': (drawn) => 300 * drawn,
      'near ±30000': (drawn) => 30_000 * drawn,
      // All alike in bf16: the output is the mean of V, where it should be the last of them or nearly.
      'that loses its order': (_, n) => 30_000 + (n % 9),
    };
    for (const [name, of] of Object.entries(BIASES)) {
      it(`allow a bias ${name} to be rounded, judge every element, and see what is wrong`, () => {
        const c = biased('f32', of);
        const bias = c.inputs.bias!;
        const stored = {
          ...c,
          inputs: { ...c.inputs, bias: mapTensor(bias, (x) => roundTo('bf16', x)) },
        };
        const answer = referenceOutputs(stored);
        expect(judge(c, given(answer), 'bf16')).toMatchObject({
          verdict: 'pass',
          reason: 'within the bounds',
        });
        const without = referenceOutputs({
          ...c,
          inputs: { ...c.inputs, bias: mapTensor(bias, () => 0) },
        });
        const wrong: Record<string, GivenOutputs> = {
          'no bias': given(without),
          'an output beyond every value': {
            ...given(answer),
            out: { dtype: 'F32', tensor: mapTensor(answer.out!, () => 1000) },
          },
          'no number': mapOutputs(answer, () => Number.NaN),
        };
        for (const [what, outputs] of Object.entries(wrong)) {
          expect([what, judge(c, outputs, 'bf16').verdict]).toEqual([what, 'impossible']);
        }
      });
    }

    it('ask for an average where the roundings beside are more than Weight speaks of', () => {
      // Exact in bf16, but an LSE of 10⁶ is off by a tenth in f32, as often as it is written down.
      const c = biased('bf16', (drawn) => 1e6 * drawn);
      const answer = referenceOutputs(c);
      expect(judge(c, given(answer), 'bf16')).toMatchObject({
        verdict: 'pass',
        reason: 'within the bounds',
      });
      for (const wrong of [1000, Number.NaN]) {
        const out = { dtype: 'F32', tensor: mapTensor(answer.out!, () => wrong) } as const;
        expect(judge(c, { ...given(answer), out }, 'bf16').verdict).toBe('impossible');
      }
      const lse = { dtype: 'F32', tensor: mapTensor(answer.lse!, () => 0) } as const;
      expect(judge(c, { ...given(answer), lse }, 'bf16').verdict).toBe('impossible');
    });

    it('say nothing there of a program with options, of which that is not proved', () => {
      const c = biased('bf16', (drawn) => 1e6 * drawn);
      for (const [option, verdict, reason] of [
        // Merges that subtract lose the other rows too: their LSEs are off by as much as these.
        ['sigmoid-merge', 'skip', 'no element has a finite bound'],
        ['stored-partials', 'pass', 'have no finite bound (out['],
        ['lazy-maximum', 'pass', 'have no finite bound (out['],
      ] as const) {
        const found = judge(c, given(referenceOutputs(c)), `bf16+${option}`);
        expect([option, found.verdict]).toEqual([option, verdict]);
        expect(found.reason).toContain(reason);
      }
    });
  });

  it('refuse a relative error of 1e-3 and a zero gradient in f32', () => {
    const c = drawCase(3, {});
    const truth = referenceOutputs(c);
    for (const name of ['out', 'lse', 'd_q', 'd_k', 'd_v']) {
      for (const factor of [0, 1.001]) {
        const given: GivenOutputs = {};
        for (const [key, tensor] of Object.entries(truth)) {
          given[key as OutputName] = {
            dtype: 'F32',
            tensor: mapTensor(tensor, (x) => (key === name ? x * factor : x)),
          };
        }
        const verdict = judge(c, given, 'f32');
        expect([name, factor, verdict.verdict]).toEqual([name, factor, 'impossible']);
        expect(verdict.reason).toContain(`${name}[`);
      }
    }
  });

  it('have pinned values: no term can be lost unseen', () => {
    const c = drawCase(11, {
      softcap: 2,
      bias: [1, 2, 1, 9],
      sink: true,
      dim_y: 3,
      dropout_rate: 0.25,
    });
    const first = (profile: ProfileName) => {
      const { worstCase, probabilistic } = expectation(c, profile);
      return c.parameters.wants.map((name) => {
        const at = worstCase.of(name, 2 ** -24)!.shape.map(() => 0);
        const show = (bounds: typeof worstCase | null) =>
          bounds
            ?.of(name, 2 ** -24)
            ?.get(...at)
            .toPrecision(6);
        return `${name} ${show(worstCase)} ${show(probabilistic)}`;
      });
    };
    expect(first('f32')).toMatchInlineSnapshot(`
      [
        "out 0.0000448387 0.0000448387",
        "lse 0.0000348727 0.0000348727",
        "d_q 0.0000425895 0.0000425895",
        "d_k 0.000106597 0.000106597",
        "d_v 0.0000272695 0.0000272695",
        "d_bias 0.000265445 0.000265445",
        "d_sink 0.000150434 0.000150434",
        "d_y 0.000802977 0.000802977",
        "d_w_k 0.00245347 0.00245347",
        "d_w_v 0.000775302 0.000775302",
      ]
    `);
    expect(first('bf16')).toMatchInlineSnapshot(`
      [
        "out 0.0775390 0.0775390",
        "lse 0.0508806 0.0508806",
        "d_q 0.119042 0.119042",
        "d_k 0.439440 0.439440",
        "d_v 0.0680690 0.0680690",
        "d_bias 0.817450 0.817450",
        "d_sink 0.609684 0.609684",
        "d_y 3.70506 3.70506",
        "d_w_k 12.9138 12.9138",
        "d_w_v 2.65695 2.65695",
      ]
    `);
    expect(first('f64')).toMatchInlineSnapshot(`
      [
        "out 3.99956e-14 3.99956e-14",
        "lse 3.24252e-14 3.24252e-14",
        "d_q 3.38426e-14 3.38426e-14",
        "d_k 8.93333e-14 8.93333e-14",
        "d_v 2.56935e-14 2.56935e-14",
        "d_bias 2.50403e-13 2.50403e-13",
        "d_sink 1.53177e-13 1.53177e-13",
        "d_y 7.16073e-13 7.16073e-13",
        "d_w_k 2.31287e-12 2.31287e-12",
        "d_w_v 7.39857e-13 7.39857e-13",
      ]
    `);
  });
});
