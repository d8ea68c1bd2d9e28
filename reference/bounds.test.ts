import { describe, expect, it } from 'vitest';
import { float64 } from './arithmetic/float64.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { AttentionCase, OutputName } from './case.ts';
import { type CaseChanges, drawCase } from './draw-case.ts';
import { expectation } from './expectation.ts';
import { roundTo } from './format.ts';
import { type GivenOutputs, judge, judgeAgainst } from './judge.ts';
import type { ProfileName } from './profile.ts';
import { evaluate, referenceOutputs } from './reference.ts';
import { mapTensor } from './tensor.ts';
import { FEATURE_CASES } from './testing/feature-cases.ts';

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
        "out 0.0000357054 0.0000357054",
        "lse 0.0000290746 0.0000290746",
        "d_q 0.0000366817 0.0000366817",
        "d_k 0.0000901653 0.0000901653",
        "d_v 0.0000226114 0.0000226114",
        "d_bias 0.000215460 0.000215460",
        "d_sink 0.000118781 0.000118781",
        "d_y 0.000677747 0.000677747",
        "d_w_k 0.00203517 0.00203517",
        "d_w_v 0.000647608 0.000647608",
      ]
    `);
    expect(first('bf16')).toMatchInlineSnapshot(`
      [
        "out 0.0775227 0.0775227",
        "lse 0.0508700 0.0508700",
        "d_q 0.119031 0.119031",
        "d_k 0.436072 0.436072",
        "d_v 0.0663764 0.0663764",
        "d_bias 0.817315 0.817315",
        "d_sink 0.609583 0.609583",
        "d_y 3.67236 3.67236",
        "d_w_k 12.8329 12.8329",
        "d_w_v 2.60657 2.60657",
      ]
    `);
    expect(first('f64')).toMatchInlineSnapshot(`
      [
        "out 2.29854e-14 2.29854e-14",
        "lse 2.16271e-14 2.16271e-14",
        "d_q 2.30749e-14 2.30749e-14",
        "d_k 5.89611e-14 5.89611e-14",
        "d_v 1.70187e-14 1.70187e-14",
        "d_bias 1.58394e-13 1.58394e-13",
        "d_sink 9.44734e-14 9.44734e-14",
        "d_y 4.85379e-13 4.85379e-13",
        "d_w_k 1.53691e-12 1.53691e-12",
        "d_w_v 5.02054e-13 5.02054e-13",
      ]
    `);
  });
});
