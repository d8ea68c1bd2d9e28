import { describe, expect, it } from 'vitest';
import { drawCase } from '../case/draw-case.ts';
import { makeCase } from '../case/make-case.ts';
import { referenceOutputs } from '../definition/reference.ts';
import { tensorOf, toFlat } from '../numbers/tensor.ts';
import { oracle } from '../oracle/oracle.ts';
import { type Answers, givenAnswers } from './answers.ts';
import { judge } from './judge.ts';

const c = drawCase(3, { kv_heads: 2, dLse: false });
const right = referenceOutputs(c);
const map = (f: (name: string, numbers: number[], shape: number[]) => unknown): Answers =>
  Object.fromEntries(Object.entries(right).map(([n, t]) => [n, f(n, toFlat(t), t.shape)]));

describe('judge', () => {
  it("takes the oracle's own values", () => {
    const { values } = oracle(c, { format: 'f32' });
    expect(judge(c, values, 'f32').verdict).toBe('pass');
    expect(judge(c, values, 'f64').verdict).toBe('impossible');
  });

  it('takes tensors and numbers, with shape, format, both or neither', () => {
    const forms: [string, Answers][] = [
      ['tensor', map((_, x, shape) => tensorOf(x, shape))],
      ['plain', map((_, data, shape) => ({ data: Float64Array.from(data), shape }))],
      ['flat', map((_, x) => Float64Array.from(x))],
      ['list', map((_, x) => x)],
      ['named', map((_, x, shape) => ({ dtype: 'F64', tensor: tensorOf(x, shape) }))],
      ['named plain', map((_, data, shape) => ({ dtype: 'F64', tensor: { data, shape } }))],
      ['named flat', map((_, x) => ({ dtype: 'F64', tensor: x }))],
    ];
    for (const [form, answers] of forms) {
      expect(judge(c, answers, 'f64').verdict, form).toBe('pass');
      const wrong = { ...answers, out: toFlat(right.out!).map((x) => x + 1e-3) };
      expect(judge(c, wrong, 'f64').verdict, form).toBe('impossible');
    }
  });

  it('knows a format by its array, and the profile by the case', () => {
    const single = map((_, x) => Float32Array.from(x));
    expect(givenAnswers(single).out).toMatchObject({ dtype: 'F32', tensor: { shape: [48] } });
    expect(judge(c, single).verdict).toBe('pass');
    expect(judge(c, single, 'f64').verdict).toBe('impossible');
  });

  it('calls what is missing, too short or of no format broken', () => {
    for (const [answers, reason] of [
      [{ ...right, lse: undefined }, '"lse" expected a tensor, got none'],
      [{ ...right, out: new Float32Array(3) }, '"out" expected shape [1, 2, 4, 6], got [3]'],
      [
        { ...right, out: { shape: [2, 3], data: new Float32Array(5) } },
        '"out" expected shape [1, 2, 4, 6], got [5]',
      ],
      [{ ...right, out: { dtype: 'I32', tensor: right.out! } }, '"out" expected F64, F32'],
    ] as [Answers, string][]) {
      expect(judge(c, answers)).toMatchObject({
        verdict: 'broken',
        reason: expect.stringContaining(reason),
      });
    }
  });
});

describe('makeCase', () => {
  const { q, k, v, d_out } = c.inputs;

  it('reads sizes off shapes, and fills in what is obvious', () => {
    const plain = (t: typeof q) => ({ data: Float32Array.from(toFlat(t!)), shape: t!.shape });
    const made = makeCase(
      { q: plain(q), k: plain(k), v: plain(v), d_out: plain(d_out) },
      { id: c.parameters.id, wants: c.parameters.wants, scale: c.parameters.scale },
    );
    expect(made.parameters).toEqual(c.parameters);
    expect(made.judging).toBe('structured');
    expect(judge(made, right, 'f64').verdict).toBe('pass');
    const bare = makeCase({ q: q!, k: k!, v: v! });
    expect(bare.parameters).toMatchObject({ dtype: 'f64', scale: 8 ** -0.5, wants: ['out'] });
  });

  it('makes cases of features', () => {
    const f = drawCase(4, { dim_y: 3, batch: 2, kv_heads: 2 });
    const { scale, wants, kv_heads } = f.parameters;
    const made = makeCase(f.inputs, { id: 'test', dtype: 'f32', scale, wants, kv_heads });
    expect(made.parameters).toEqual(f.parameters);
    expect(() => makeCase(f.inputs)).toThrow('"kv_heads" expected a number beside "y"');
  });

  it('says what is wrong', () => {
    const data = new Float32Array(6);
    for (const [inputs, choices, reason] of [
      [{ k: k!, v: v! }, {}, '"q" expected a tensor, got none'],
      [{ q: { data, shape: [2, 4] } }, {}, '"q" expected 8 numbers for [2, 4], got 6'],
      [{ q: { data, shape: [2, 3] } }, {}, '"q" expected 4 axes, got shape [2, 3]'],
      [{ q: q!, k: k!, v: v! }, { dtype: 'bf16' }, /"q\[.*\]" expected a finite bf16 number/],
      [{ q: q!, k: k!, v: v! }, { wants: ['d_q'] }, '"d_out" expected a tensor'],
      [{ q: q!, k: k!, v: v! }, { causal: 'left' }, '"causal" expected one of'],
    ] as [Parameters<typeof makeCase>[0], object, string | RegExp][]) {
      expect(() => makeCase(inputs, choices)).toThrow(reason);
    }
  });
});
