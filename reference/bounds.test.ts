import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { float64 } from './arithmetic/float64.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { AttentionCase, CaseParameters, OutputName } from './case.ts';
import { expectation } from './expectation.ts';
import { roundTo } from './format.ts';
import { type GivenOutputs, judge, judgeAgainst } from './judge.ts';
import type { ProfileName } from './profile.ts';
import { evaluate, referenceOutputs } from './reference.ts';
import { elementCount, mapTensor, type Tensor, tensorOf } from './tensor.ts';

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

function makeCase(
  seed: number,
  changes: Partial<CaseParameters> & { bias?: number[]; shift?: number; sink?: boolean } = {},
): AttentionCase {
  const generator = xoroshiro128plus(seed);
  const dtype = changes.dtype ?? 'f32';
  const normal = () => {
    let sum = -6;
    for (let n = 0; n < 12; n++) sum += uniformFloat64(generator);
    return roundTo(dtype, sum);
  };
  const draw = (...shape: number[]): Tensor =>
    tensorOf(Float64Array.from({ length: elementCount(shape) }, normal), shape);
  const { bias, shift, sink, ...given } = changes;
  const parameters: CaseParameters = {
    schema: 1,
    id: 'test',
    dtype,
    batch: 1,
    heads: 2,
    kv_heads: 1,
    seq_q: 4,
    seq_kv: 9,
    head_dim: 8,
    head_dim_v: 6,
    scale: 0.35355338454246521,
    softcap: 0,
    causal: 'none',
    window: null,
    media: null,
    dropout_rate: 0,
    wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'],
    partition: { ranks: 1, q: [changes.seq_q ?? 4], kv: [changes.seq_kv ?? 9] },
    ...given,
  };
  const {
    batch: b,
    heads: h,
    kv_heads: g,
    seq_q: n,
    seq_kv: m,
    head_dim: d,
    head_dim_v: e,
    dim_y: y,
  } = parameters;
  const inputs: AttentionCase['inputs'] = {
    q: draw(b, h, n, d),
    d_out: draw(b, h, n, e),
    d_lse: draw(b, h, n),
  };
  if (y === undefined) Object.assign(inputs, { k: draw(b, g, m, d), v: draw(b, g, m, e) });
  else Object.assign(inputs, { y: draw(b, m, y), w_k: draw(y, g * d), w_v: draw(y, g * e) });
  if (bias !== undefined)
    inputs.bias = mapTensor(draw(...bias), (x) => roundTo(dtype, x + (shift ?? 0)));
  if (sink) inputs.sink = draw(h);
  return { parameters, inputs, judging: 'random' };
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

const GRADIENTS: OutputName[] = ['out', 'lse', 'd_q', 'd_k', 'd_v'];
const FEATURES: [string, Parameters<typeof makeCase>[1]][] = [
  ['plain', {}],
  ['softcap', { softcap: 2 }],
  ['bias', { bias: [1, 2, 1, 9], wants: [...GRADIENTS, 'd_bias'] }],
  ['shifted by −300', { bias: [1, 1, 4, 1], shift: -300, wants: [...GRADIENTS, 'd_bias'] }],
  ['shifted by +300', { bias: [4, 9], shift: 300 }],
  ['sink', { sink: true, wants: [...GRADIENTS, 'd_sink'] }],
  ['causal', { causal: 'bottom-right' }],
  ['empty rows', { causal: 'top-left', seq_q: 5, seq_kv: 3, window: [0, 0] }],
  ['recompute', { dim_y: 5, wants: [...GRADIENTS, 'd_y', 'd_w_k', 'd_w_v'] }],
  ['peaked', { scale: 2 }],
  ['many keys', { seq_q: 2, seq_kv: 300 }],
  ['one key', { seq_kv: 1 }],
  ['no keys', { seq_kv: 0 }],
  ['no keys but a sink', { seq_kv: 0, sink: true, wants: [...GRADIENTS, 'd_sink'] }],
];

describe('bounds', () => {
  for (const profile of ['f64', 'f32', 'tf32', 'f16', 'bf16'] as const) {
    it(`never refuse honest ${profile} work, and are finite`, () => {
      const table: string[] = [];
      for (const [feature, changes] of FEATURES) {
        const dtype = profile === 'tf32' ? 'f32' : profile;
        const c = makeCase(11, { ...changes, dtype });
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
    const c = makeCase(3, {});
    const truth = referenceOutputs(c);
    for (const name of GRADIENTS) {
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
});
