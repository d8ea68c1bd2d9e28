import { describe, expect, it } from 'vitest';
import { drawCase } from '../reference/case/draw-case.ts';
import { referenceOutputs } from '../reference/definition/reference.ts';
import { mapTensor, tensorOf, toFlat } from '../reference/numbers/tensor.ts';
import { matchers } from './matchers.ts';

expect.extend(matchers);

const c = drawCase(3, { partition: { ranks: 2, q: [1, 3], kv: [9, 0] } });

describe('toPassOracle', () => {
  it('passes right answers, bare tensors of float32 and float64 alike', () => {
    const truth = referenceOutputs(c);
    expect(truth).toPassOracle(c, 'f64');
    const narrow = Object.fromEntries(
      Object.entries(truth).map(([name, tensor]) => [
        name,
        tensorOf<number>(Float32Array.from(toFlat(tensor)), tensor.shape),
      ]),
    );
    expect(narrow).toPassOracle(c, 'f32');
    expect(narrow).not.toPassOracle(c, 'f64');
  });

  it('says what is wrong, where, in which case, and how to keep it', () => {
    const answers = referenceOutputs(c);
    answers.d_k!.set(0, 0, 5, 2, answers.d_k!.get(0, 0, 5, 2) + 0.125);
    const failing = () => expect(answers).toPassOracle(c, 'f32');
    expect(failing).toThrow(
      /got impossible: d_k\[0, 0, 5, 2\]: expected .*, got .* times the bound/,
    );
    expect(failing).toThrow(/2 ranks, q \[1, 3\], kv \[9, 0\]; judged as random/);
    expect(failing).toThrow(/writeCase/);
  });

  it('calls a missing output broken', () => {
    const { d_v: _, ...rest } = referenceOutputs(c);
    expect(() => expect(rest).toPassOracle(c, 'f32')).toThrow(/broken: "d_v" expected a tensor/);
  });

  it('fails when it is asked for a fault and there is none', () => {
    expect(() => expect(referenceOutputs(c)).not.toPassOracle(c, 'f64')).toThrow(/not to pass/);
  });
});

describe('toEqualExactly', () => {
  it('takes the same numbers, and no others', () => {
    const truth = referenceOutputs(c);
    expect(truth).toEqualExactly(referenceOutputs(c));
    const other = { ...truth, lse: mapTensor(truth.lse!, (x) => x + 2 ** -50) };
    expect(other).not.toEqualExactly(truth);
    expect(() => expect(other).toEqualExactly(truth)).toThrow(
      /lse\[0, 0, 0\] expected .*, got .*; 8 elements of lse differ/,
    );
    const { lse: __, ...less } = truth;
    expect(() => expect(less).toEqualExactly(truth)).toThrow(/lse expected a tensor, got none/);
    expect(() => expect(truth).toEqualExactly(less)).toThrow(/lse expected no tensor, got one/);
  });

  it('compares shapes before numbers', () => {
    const truth = referenceOutputs(c);
    const flat = { ...truth, out: tensorOf<number>(toFlat(truth.out!), [48]) };
    expect(() => expect(flat).toEqualExactly(truth)).toThrow(/out expected shape \[1, 2, 4, 6\]/);
  });
});
