import { describe, expect, it } from 'vitest';
import { certifiedCase } from '../bounds/by-pair/certified.ts';
import { referenceModel } from '../bounds/lemmas/error-model.ts';
import type { AttentionCase, OutputName, Outputs } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import type { GivenOutputs } from '../case/given.ts';
import { evaluate, referenceOutputs } from '../definition/reference.ts';
import { doubleDoubleBall } from '../numbers/balls.ts';
import { big } from '../numbers/big.ts';
import { roundTo, ulp } from '../numbers/format.ts';
import { filled, forEachIndex, mapTensor, tensorOf, toFlat } from '../numbers/tensor.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { boundsOf, expectation } from './expectation.ts';
import { judge, judgeAgainst } from './judge.ts';

const given = (outputs: Outputs, dtype = 'F32'): GivenOutputs =>
  Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, { dtype, tensor }]));

/** The reference's outputs with one element of one of them replaced. */
function withElement(
  c: AttentionCase,
  name: OutputName,
  at: number[],
  value: (x: number) => number,
): GivenOutputs {
  const outputs = referenceOutputs(c);
  const copy = mapTensor(outputs[name]!, (x) => x);
  copy.set(...at, value(copy.get(...at)));
  return given({ ...outputs, [name]: copy });
}

/** What is expected of a case, with every bound of these outputs replaced. */
function boundedBy(c: AttentionCase, bound: number, names: OutputName[] = c.parameters.wants) {
  const expected = expectation(c, 'f32');
  const of: typeof expected.worstCase.of = (name, stored) => {
    const bounds = expected.worstCase.of(name, stored);
    return bounds && mapTensor(bounds, (x) => (names.includes(name) ? bound : x));
  };
  return { ...expected, worstCase: { of }, probabilistic: null };
}

const SMALLEST = { heads: 1, seq_q: 1, seq_kv: 1, gradients: false, head_dim_v: 1 } as const;

describe('judge', () => {
  const c = drawCase(8);

  it('passes the truth and reports every wanted output', () => {
    const verdict = judge(c, given(referenceOutputs(c)), 'f32');
    expect(verdict.verdict).toBe('pass');
    expect(Object.keys(verdict.outputs)).toEqual(c.parameters.wants);
    expect(verdict.outputs.out!.max_bound_fraction).toBe(0);
  });

  it('names the worst element, what was expected and got, its ULPs and its share of the bound', () => {
    const at = [0, 1, 2, 3];
    const truth = referenceOutputs(c).out!.get(...at);
    const { verdict, reason, outputs } = judge(
      c,
      withElement(c, 'out', at, (x) => x + 0.5),
      'f32',
    );
    expect(verdict).toBe('impossible');
    expect(outputs.out).toMatchObject({ worst_index: at, expected: truth, got: truth + 0.5 });
    expect(outputs.out!.max_ulp).toBeGreaterThan(1e5);
    expect(outputs.out!.max_bound_fraction).toBeGreaterThan(1e3);
    expect(reason).toMatch(
      /^out\[0, 1, 2, 3\]: expected .*, got .* times the bound off at profile f32$/,
    );
  });

  it('takes NaN and infinities for what they are', () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      for (const name of c.parameters.wants) {
        const at = name === 'lse' ? [0, 0, 0] : [0, 0, 0, 0];
        const { verdict, outputs } = judge(
          c,
          withElement(c, name, at, () => value),
          'f32',
        );
        expect([name, value, verdict]).toEqual([name, value, 'impossible']);
        expect(outputs[name]!.max_ulp).toBe(Infinity);
      }
    }
  });

  it('wants −∞ and nothing else as the LSE of an empty row, and exact zeros beside it', () => {
    const empty = drawCase(8, { causal: 'bottom-right', seq_q: 7, seq_kv: 3 });
    expect(referenceOutputs(empty).lse!.get(0, 0, 0)).toBe(-Infinity);
    expect(judge(empty, given(referenceOutputs(empty)), 'f32').verdict).toBe('pass');
    for (const value of [0, -1e30, Infinity, Number.NaN, -3.4e38]) {
      expect(
        judge(
          empty,
          withElement(empty, 'lse', [0, 0, 0], () => value),
          'f32',
        ).verdict,
      ).toBe('impossible');
    }
    for (const name of ['out', 'd_q'] as const) {
      expect(
        judge(
          empty,
          withElement(empty, name, [0, 0, 0, 0], () => 1e-30),
          'f32',
        ).verdict,
      ).toBe('impossible');
      expect(
        judge(
          empty,
          withElement(empty, name, [0, 0, 0, 0], () => -0),
          'f32',
        ).verdict,
      ).toBe('pass');
    }
  });

  it('calls improbable what the worst case allows and random data does not', () => {
    const many = drawCase(8, { seq_q: 1, seq_kv: 2000, heads: 1, gradients: false });
    const expected = expectation(many, 'f32');
    const [worst, likely] = [
      expected.worstCase.of('out', 0)!,
      expected.probabilistic!.of('out', 0)!,
    ];
    const at = [0, 0, 0, 0];
    const between = (worst.get(...at) + likely.get(...at)) / 2;
    expect(likely.get(...at)).toBeLessThan(worst.get(...at) / 2);
    const outputs = withElement(many, 'out', at, (x) => x + between);
    expect(judgeAgainst(expected, outputs).verdict).toBe('improbable');
    const impossible = withElement(many, 'out', at, (x) => x + 2 * worst.get(...at));
    expect(judgeAgainst(expected, impossible).verdict).toBe('impossible');
    // The worst case is not computed for what is probable.
    const unasked = { ...expected, worstCase: { of: () => undefined } };
    const right = withElement(many, 'out', at, (x) => x + 0.9 * likely.get(...at));
    expect(judgeAgainst(unasked, right).verdict).toBe('pass');
    expect(() => judgeAgainst(unasked, outputs)).toThrow('no bound');
    const structured = { ...many, judging: 'structured' } as const;
    expect(judge(structured, outputs, 'f32').verdict).toBe('pass');
  });

  it('allows no deviation at all on an exact case', () => {
    const exact = { ...drawCase(8, { seq_kv: 0 }), judging: 'exact' } as const;
    expect(judge(exact, given(referenceOutputs(exact)), 'bf16').verdict).toBe('pass');
    expect(
      judge(
        exact,
        withElement(exact, 'out', [0, 0, 0, 0], () => 1e-45),
        'bf16',
      ).verdict,
    ).toBe('impossible');
  });

  it('calls broken what is missing, misshapen, or no float', () => {
    const { lse: _, ...without } = referenceOutputs(c);
    expect(judge(c, given(without), 'f32')).toMatchObject({
      verdict: 'broken',
      reason: '"lse" expected a tensor, got none',
    });
    const short = { ...referenceOutputs(c), lse: tensorOf([1], [1]) };
    expect(judge(c, given(short), 'f32')).toMatchObject({
      verdict: 'broken',
      reason: '"lse" expected shape [1, 2, 4], got [1]',
    });
    expect(judge(c, given(referenceOutputs(c), 'I32'), 'f32').verdict).toBe('broken');
  });

  it('takes an overflow to infinity where the format ends, and only there', () => {
    const adjust = (inputs: AttentionCase['inputs'], value: number) => {
      inputs.v = mapTensor(inputs.v!, () => value);
    };
    const huge = drawCase(8, {
      ...{ dtype: 'f16', gradients: false },
      adjust: (inputs) => adjust(inputs, 65504),
    });
    const outputs = referenceOutputs(huge);
    const infinite = { ...outputs, out: mapTensor(outputs.out!, () => Infinity) };
    expect(judge(huge, given(infinite), 'f16').verdict).toBe('pass');
    expect(
      judge(huge, given({ ...outputs, out: mapTensor(outputs.out!, () => -Infinity) }), 'f16')
        .verdict,
    ).toBe('impossible');
    expect(judge(huge, given(infinite), 'f32').verdict).toBe('impossible');
    const low = drawCase(8, {
      ...{ dtype: 'f16', gradients: false },
      adjust: (inputs) => adjust(inputs, -65504),
    });
    const answers = [-Infinity, Infinity].map((value) => ({
      ...referenceOutputs(low),
      out: mapTensor(referenceOutputs(low).out!, () => value),
    }));
    const verdicts = answers.map((answer) => judge(low, given(answer), 'f16').verdict);
    expect(verdicts).toEqual(['pass', 'impossible']);
    expect(
      judge(
        huge,
        withElement(huge, 'out', [0, 0, 0, 0], () => Number.NaN),
        'f16',
      ).verdict,
    ).toBe('impossible');
  });

  it('takes any number for what has no bound, and no NaN or infinity, and says how many those are', () => {
    const some = boundedBy(c, Number.POSITIVE_INFINITY, ['out', 'd_q']);
    const { out, d_q } = referenceOutputs(c);
    const without = out!.data.length + d_q!.data.length;
    const judged = (value: number) =>
      judgeAgainst(
        some,
        withElement(c, 'out', [0, 0, 0, 0], () => value),
      );
    expect(judged(-3e38).reason).toBe(
      `within the bounds; ${without} elements have no finite bound (out[0, 0, 0, 0] d_q[0, 0, 0, 0] …), not judged`,
    );
    expect(judged(-3e38).outputs.out!.max_bound_fraction).toBe(0);
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      expect([value, judged(value).verdict]).toEqual([value, 'impossible']);
    }
    const every = boundedBy(c, Number.POSITIVE_INFINITY);
    const answer = withElement(c, 'out', [0, 0, 0, 0], () => Number.NaN);
    expect(judgeAgainst(every, answer).verdict).toBe('impossible');
  });

  it('asks nothing of what is excused, and names it with the values expected there', () => {
    const mine: OutputName[] = ['out', 'd_q'];
    const lost = (name: OutputName) => {
      const shape = referenceOutputs(c)[name]!.shape;
      const all = filled(shape, false);
      if (mine.includes(name)) all.set(...shape.map(() => 0), true);
      return all;
    };
    const some = { ...boundedBy(c, 1e-3), excused: lost };
    const { out, d_q } = referenceOutputs(c);
    const values = [out!, d_q!].map((x) => x.get(0, 0, 0, 0)).sort((a, b) => a - b);
    const [from, to] = values.map((x) => Number(x.toPrecision(3)));
    for (const value of [Number.NaN, Infinity, 7]) {
      const answer = withElement(c, 'out', [0, 0, 0, 0], () => value);
      const { verdict, reason, outputs } = judgeAgainst(some, answer);
      expect([verdict, reason, outputs.out!.max_ulp]).toEqual([
        'pass',
        `within the bounds; 2 elements may overflow on the way at f32 (out[0, 0, 0, 0] d_q[0, 0, 0, 0]; expected values from ${from} to ${to}), not judged`,
        0,
      ]);
      const beside = withElement(c, 'out', [0, 0, 0, 1], () => value);
      expect(judgeAgainst(some, beside).verdict).toBe('impossible');
    }
  });

  it('does not call it a pass where nothing has a bound', () => {
    const none = boundedBy(c, Number.POSITIVE_INFINITY);
    const { verdict, reason } = judgeAgainst(none, given(referenceOutputs(c)));
    expect([verdict, reason]).toEqual(['skip', 'no element has a finite bound at this profile']);
  });

  it('takes no NaN for an overflow, however large the bound', () => {
    const wide = boundedBy(c, 2 ** 128);
    const verdictOn = (value: number) =>
      judgeAgainst(
        wide,
        withElement(c, 'out', [0, 0, 0, 0], () => value),
      ).verdict;
    // Of a bound beyond the format's end, an infinity is as good an answer as any number.
    expect([Number.NaN, 2 ** 127, -(2 ** 127), Infinity].map(verdictOn)).toEqual([
      'impossible',
      'skip',
      'skip',
      'skip',
    ]);
  });

  it('allows a half LSE only to a half profile that hands over a half tensor', () => {
    const half = (dtype: string): GivenOutputs => {
      const outputs = referenceOutputs(c);
      return {
        ...given(outputs),
        lse: { dtype, tensor: mapTensor(outputs.lse!, (x) => roundTo('bf16', x)) },
      };
    };
    expect(judge(c, half('BF16'), 'bf16').verdict).toBe('pass');
    expect(judge(c, half('BF16'), 'f32').verdict).toBe('impossible');
  });
});

describe('the float64 reference stays within its own bound of the truth', () => {
  const system = big(60);
  for (const [feature, changes] of FEATURE_CASES) {
    it(`with ${feature}`, () => {
      for (const scale of [changes.scale ?? 0.3, 40]) {
        const c = drawCase(13, { ...changes, scale, dtype: 'f64' });
        const bounds = boundsOf(certifiedCase(c, doubleDoubleBall), [
          referenceModel(2 ** -53, 2 ** -1022),
        ])[0]!;
        const mine = referenceOutputs(c);
        for (const [name, truth] of Object.entries(evaluate(system, c))) {
          const bound = bounds.of(name as OutputName, 0)!;
          forEachIndex(truth.shape, (at) => {
            const exact = truth.get(...at);
            const got = mine[name as OutputName]!.get(...at);
            if (exact === null) return expect(got).toBe(-Infinity);
            const error = system.fromNumber(got).minus(exact).abs();
            const inside = error.lessThanOrEqualTo(bound.get(...at));
            if (!inside)
              throw new Error(`${name}[${at}] is off by ${error}, bound ${bound.get(...at)}`);
          });
        }
      }
    });
  }

  it('and the bound is not vacuous', () => {
    const c = drawCase(13, { dtype: 'f64' });
    const bounds = boundsOf(certifiedCase(c, doubleDoubleBall), [
      referenceModel(2 ** -53, 2 ** -1022),
    ])[0]!;
    expect(Math.max(...toFlat(bounds.of('out', 0)!))).toBeLessThan(1e-12);
    expect(Math.min(...toFlat(bounds.of('out', 0)!))).toBeGreaterThan(1e-17);
  });
});

describe('the distance in ULPs', () => {
  it('counts answers below the truth as those above it', () => {
    const c = drawCase(2, { ...SMALLEST, judging: 'structured' });
    const { out, lse } = referenceOutputs(c);
    const exact = roundTo('f32', out!.get(0, 0, 0, 0));
    for (const factor of [1 + 2 ** -20, 1 - 2 ** -20]) {
      const given = {
        out: { dtype: 'F32', tensor: mapTensor(out!, () => exact * factor) },
        lse: { dtype: 'F32', tensor: lse! },
      };
      const { outputs } = judge(c, given, 'f32');
      const ulps = outputs.out!.max_ulp ?? Number.NaN;
      expect([factor, ulps > 7 && ulps < 17]).toEqual([factor, true]);
    }
  });

  it('is of the element that is named, whatever others are off', () => {
    const c = drawCase(2, { judging: 'structured', seq_q: 64, seq_kv: 8 });
    const { out, ...rest } = referenceOutputs(c);
    const truth = toFlat(out!);
    const [smallest, largest] = [Math.min, Math.max].map((pick) =>
      truth.findIndex((x) => Math.abs(x) === pick(...truth.map(Math.abs))),
    );
    // Where the terms cancel, few ULPs of the terms are many of the sum.
    const wrong = truth.map(
      (x, n) => x + (n === largest ? 2 ** -4 : n === smallest ? 2 ** -10 : 0),
    );
    const tensors = { ...rest, out: tensorOf<number>(Float64Array.from(wrong), out!.shape) };
    const { outputs } = judge(c, given(tensors), 'f32');
    const { max_ulp, worst_index, expected, got } = outputs.out!;
    expect(out!.get(...worst_index)).toBeCloseTo(expected, 12);
    expect(tensors.out.get(...worst_index)).toBe(got);
    expect(max_ulp).toBe(Math.abs(got - expected) / ulp('f32', expected));
    const others = truth.map((x, n) => Math.abs(wrong[n]! - x) / ulp('f32', x));
    expect(Math.max(...others)).toBeGreaterThan(max_ulp!);
  });

  it('is none beside what rounds to zero', () => {
    const c = drawCase(8);
    for (const zero of [0, -0, 2 ** -1000]) {
      const v = mapTensor(c.inputs.v!, () => zero);
      const blank = { ...c, inputs: { ...c.inputs, v } };
      const wrong = withElement(blank, 'out', [0, 0, 0, 0], () => 0.5);
      const { verdict, reason, outputs } = judge(blank, wrong, 'f64');
      expect(verdict).toBe('impossible');
      expect(outputs.out).toMatchObject({ max_ulp: zero > 0 ? expect.any(Number) : null });
      if (zero === 0) expect(reason).not.toMatch(/ULP/);
      expect(judge(blank, wrong, 'f32').outputs.out!.max_ulp).toBeNull();
    }
  });
});

describe('the reason', () => {
  it('names the output that is furthest off, and the distance of its worst element', () => {
    const c = drawCase(8);
    const outs = withElement(c, 'out', [0, 0, 0, 0], (x) => x + 2 ** -6);
    const both = { ...outs, lse: withElement(c, 'lse', [0, 0, 1], (x) => x + 4096).lse! };
    const { reason, outputs } = judge(c, both, 'f32');
    expect(outputs.out!.max_bound_fraction).toBeGreaterThan(1);
    expect(outputs.lse!.max_bound_fraction).toBeGreaterThan(outputs.out!.max_bound_fraction);
    const { max_ulp, max_bound_fraction } = outputs.lse!;
    const size = `${Number(max_ulp!.toPrecision(4))} ULP, ${Number(max_bound_fraction.toPrecision(4))}`;
    expect(reason).toMatch(/^lse\[0, 0, 1\]: /);
    expect(reason.endsWith(`, ${size} times the bound off at profile f32`)).toBe(true);
  });
});
