import { describe, expect, it } from 'vitest';
import type { AttentionCase, OutputName } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { evaluate } from '../definition/reference.ts';
import { readCase } from '../files/case-folder.ts';
import { certify } from '../kernels/float64/certify.ts';
import { doubleDoubleBall, float64Ball } from '../numbers/balls.ts';
import { big } from '../numbers/big.ts';
import { type FormatName, roundBeside } from '../numbers/format.ts';
import { type Tensor, toFlat } from '../numbers/tensor.ts';
import { containment } from '../testing/containment.ts';
import { kernelBalls } from '../testing/kernel-balls.ts';
import { overflowingCases } from '../testing/overflowing.ts';
import { DOUBLE_LEVEL } from './double-level.ts';
import { ballLevel } from './levels.ts';
import { type OracleOptions, oracle } from './oracle.ts';

const DIGITS = 560;
const system = big(DIGITS);
type Decimal = ReturnType<typeof system.fromNumber>;

const truthOf = (c: AttentionCase) => evaluate(system, c);

function rounded(format: FormatName, value: Decimal | null): number {
  if (value === null) return roundBeside(format, Number.NEGATIVE_INFINITY, 0);
  const near = value.toNumber();
  const side = Number.isFinite(near) ? system.compare(value, system.fromNumber(near)) : 0;
  const result = roundBeside(format, near, side);
  return result === 0 ? 0 : result;
}

/** Sentences about every element of the answer that is not the truth, or is not enclosed. */
function wrong(c: AttentionCase, truth: ReturnType<typeof truthOf>, format: FormatName): string[] {
  const { values, lo, hi, undecided } = oracle(c, { format });
  const found = undecided.map(({ output, index }) => `${output}[${index}] is undecided`);
  for (const name of c.parameters.wants) {
    const [got, low, high] = [values, lo, hi].map((x) => toFlat(x[name]!));
    toFlat(truth[name] as Tensor<Decimal | null>).forEach((exact, n) => {
      const want = rounded(format, exact);
      if (!Object.is(got![n], want)) found.push(`${name}[${n}]: ${got![n]}, not ${want}`);
      const [from, to] = [low![n]!, high![n]!];
      const near = exact === null ? Number.NEGATIVE_INFINITY : exact.toNumber();
      if (!(from <= near && near <= to)) found.push(`${name}[${n}]: not in [${from}, ${to}]`);
    });
  }
  return found;
}

/** The outputs of rows and keys chosen, of both kinds of numbers. */
const answerBits = (c: AttentionCase, options: OracleOptions) => {
  const { values, lo, hi } = oracle(c, options);
  return [values, lo, hi].map((outputs) =>
    Object.entries(outputs).map(([name, tensor]) => [name, toFlat(tensor)]),
  );
};

describe('scores, values and sums beyond float64', () => {
  const cases = overflowingCases().map(([name, c]) => [name, c, truthOf(c)] as const);

  it('leave infinite radii or balls that hold the truth, at every level of float64 words', () => {
    const levels = [kernelBalls, DOUBLE_LEVEL, ballLevel(float64Ball), ballLevel(doubleDoubleBall)];
    let [all, none] = [0, 0];
    for (const [name, c, truth] of cases) {
      for (const level of levels) {
        const { missed, checked, unbounded } = containment(level, c, DIGITS, truth);
        expect([name, level.name, missed]).toEqual([name, level.name, []]);
        all += checked;
        none += unbounded;
      }
    }
    // They are beyond these numbers: a level that answered most would not have been asked.
    expect(none / all).toBeGreaterThan(0.5);
  });

  it('are answered rightly in the end', () => {
    for (const [name, c, truth] of cases) {
      expect([name, wrong(c, truth, 'f32')]).toEqual([name, []]);
    }
  });

  it('are answered alike in every format, by any number of threads and in samples', () => {
    const some = cases.filter(([name]) =>
      /^(plain|sink|recompute|an empty row): every.*−∞/.test(name),
    );
    expect(some.length).toBe(4);
    for (const [name, c, truth] of some) {
      for (const format of ['f64', 'bf16', 'fp8-e4m3'] as const) {
        expect([name, format, wrong(c, truth, format)]).toEqual([name, format, []]);
      }
      const whole = answerBits(c, { format: 'f32' });
      expect([name, answerBits(c, { format: 'f32', threads: 2 })]).toEqual([name, whole]);
      const { values, sample } = oracle(c, { format: 'f32', rows: [1], keys: [0, 2] });
      const all = oracle(c, { format: 'f32' }).values;
      expect([sample.rows, sample.keys]).toEqual([[1], [0, 2]]);
      expect([name, values.out!.get(0, 0, 0, 0)]).toEqual([name, all.out!.get(0, 0, 1, 0)]);
      expect([name, values.lse!.get(0, 0, 0)]).toEqual([name, all.lse!.get(0, 0, 1)]);
      for (const [n, j] of [0, 2].entries()) {
        expect([name, values.d_v!.get(0, 0, n, 0)]).toEqual([name, all.d_v!.get(0, 0, j, 0)]);
      }
    }
  });
});

describe('a row of far more keys than one tile', () => {
  /** Row 1 sees nothing, row 0 and 2 see keys of the last tile alone, all beyond float64. */
  const many = (dtype: 'f64', sink: boolean): AttentionCase =>
    drawCase(3, {
      ...{ dtype, heads: 1, kv_heads: 1, seq_q: 3, seq_kv: 300, head_dim: 1, head_dim_v: 1 },
      ...{ mask: [3, 300], sink, scale: -1, wants: ['out', 'lse', 'd_q', 'd_v'] as OutputName[] },
      adjust: ({ q, k, mask }) => {
        for (let i = 0; i < 3; i++) q?.set(0, 0, i, 0, 2 ** 520);
        for (let j = 0; j < 300; j++) {
          k?.set(0, 0, j, 0, 2 ** 520 * (1 + j / 512));
          for (let i = 0; i < 3; i++) mask?.set(i, j, i !== 1 && j >= 290 ? 1 : 0);
        }
      },
    });

  it('is empty or not by its mask', () => {
    for (const sink of [false, true]) {
      const c = many('f64', sink);
      const { mid, radius } = certify(c).lse!;
      const infinite = Number.POSITIVE_INFINITY;
      expect([radius.get(0, 0, 0), radius.get(0, 0, 2)]).toEqual([infinite, infinite]);
      if (!sink) expect([mid.get(0, 0, 1), radius.get(0, 0, 1)]).toEqual([-infinite, 0]);
      const { values, undecided } = oracle(c, { format: 'f64' });
      expect(undecided).toEqual([]);
      // All weight is on the first key that is seen, or on the sink.
      const out = sink ? 0 : c.inputs.v!.get(0, 0, 290, 0);
      expect(toFlat(values.out!)).toEqual([out, 0, out]);
      const s = c.inputs.sink?.get(0) ?? -infinite;
      expect(toFlat(values.lse!)).toEqual([s, s, s]);
    }
  });
});

describe('found cases', () => {
  const found = (name: string): AttentionCase =>
    readCase(new URL(`../testing/found/wrong-values/${name}`, import.meta.url).pathname);

  it('of a row whose scores all overflow towards −∞ are answered rightly', () => {
    for (const name of ['neginf', 'neginf32', 'neginf-recompute']) {
      const c = found(name);
      const truth = evaluate(big(1000), c) as ReturnType<typeof truthOf>;
      for (const format of ['f64', 'f32', 'bf16'] as const) {
        expect([name, wrong(c, truth, format)]).toEqual([name, []]);
      }
      const { lse } = oracle(c).hi;
      // −10⁴⁰⁰ is below every float64, and is not −∞.
      expect(lse?.get(0, 0, 0)).toBe(-Number.MAX_VALUE);
    }
  });

  it('of an enclosure that overflows to both sides in fp8-e4m3 are decided by the number', () => {
    const { values, undecided } = oracle(found('e4m3'), { format: 'fp8-e4m3' });
    expect(undecided).toEqual([]);
    expect(toFlat(values.out!)).toEqual([0.34375]);
  });
});
