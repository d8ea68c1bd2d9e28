import fc from 'fast-check';
import { type Fraction, fraction } from 'mathjs';
import { describe, expect, it } from 'vitest';
import type { AttentionCase, CaseInputs, CaseParameters } from '../case/case.ts';
import { validateCase } from '../case/validate.ts';
import { rational } from '../numbers/rational.ts';
import { elementCount, type Tensor, tensorOf, toFlat } from '../numbers/tensor.ts';
import { attention } from './attention.ts';
import { attentionGradients } from './gradients.ts';
import { lift } from './lift.ts';
import { finish, merge, type PartialResult, single } from './merge.ts';

const show = (tensor: Tensor<Fraction> | null): string[] =>
  tensor === null ? [] : toFlat(tensor).map((x) => x.toFraction());

/** One row: q = [1], k = scores, so that with scale 1 the scores are the keys themselves. */
function row(
  scores: number[],
  values: number[],
  changes: Partial<CaseParameters> = {},
  inputs: CaseInputs = {},
): AttentionCase {
  const n = scores.length;
  const parameters: CaseParameters = {
    schema: 1,
    id: 'test',
    dtype: 'f64',
    batch: 1,
    heads: 1,
    kv_heads: 1,
    seq_q: 1,
    seq_kv: n,
    head_dim: 1,
    head_dim_v: 1,
    scale: 1,
    softcap: 0,
    causal: 'none',
    window: null,
    media: null,
    dropout_rate: 0,
    wants: ['out', 'd_q', 'd_k', 'd_v'],
    partition: { ranks: 1, q: [1], kv: [n] },
    ...changes,
  };
  return validateCase(parameters, {
    q: tensorOf([1], [1, 1, 1, 1]),
    k: tensorOf(scores, [1, 1, n, 1]),
    v: tensorOf(values, [1, 1, n, 1]),
    d_out: tensorOf([1], [1, 1, 1, 1]),
    ...inputs,
  });
}

describe('attention on rationals, base 2, by hand', () => {
  it('two keys: scores 0 and 1 weigh 1/3 and 2/3', () => {
    // O = (1·3 + 2·6)/3 = 5. D = 5. dS = P(V − 5) = (1/3·−2, 2/3·1) = (−2/3, 2/3).
    // dV = P. dQ = Σ dS k = 2/3. dK = dS q = (−2/3, 2/3).
    const problem = lift(rational, row([0, 1], [3, 6]));
    expect(show(attention(problem).out)).toEqual(['5']);
    const g = attentionGradients(problem);
    expect(show(g.dV)).toEqual(['1/3', '2/3']);
    expect(show(g.dK)).toEqual(['-2/3', '2/3']);
    expect(show(g.dQ)).toEqual(['2/3']);
  });

  it('a sink of score 1 beside keys 0 and 1 takes 2/5', () => {
    // weights 1, 2 and 2 of 5. O = (3 + 2·6)/5 = 3 = D. dS = P(V − 3) = (0, 6/5). dSink = 2/5·(0 − 3).
    const sink = { sink: tensorOf([1], [1]) };
    const problem = lift(
      rational,
      row([0, 1], [3, 6], { wants: ['out', 'd_q', 'd_k', 'd_v', 'd_sink'] }, sink),
    );
    expect(show(attention(problem).out)).toEqual(['3']);
    const g = attentionGradients(problem);
    expect([show(g.dK), show(g.dSink)]).toEqual([['0', '6/5'], ['-6/5']]);
  });

  it('dropout of the first key, rate 1/2: its weight is lost from O, not from the denominator', () => {
    // κ = (0, 2). O = 2·2/3·6 = 8 = D. G = (0, 12). dS = (1/3·−8, 2/3·4) = (−8/3, 8/3). dV = κP = (0, 4/3).
    const keep = { dropout_keep: tensorOf([0, 1], [1, 1, 1, 2]) };
    const problem = lift(rational, row([0, 1], [3, 6], { dropout_rate: 0.5 }, keep));
    expect(show(attention(problem).out)).toEqual(['8']);
    const g = attentionGradients(problem);
    expect([show(g.dK), show(g.dV)]).toEqual([
      ['-8/3', '8/3'],
      ['0', '4/3'],
    ]);
  });

  it('bias −1 and a cotangent of the LSE', () => {
    // Scores −1 and 0 weigh 1/3, 2/3: O = 5. dS = P(V − 5 + 3) = (1/3·1, 2/3·4) = (1/3, 8/3); dBias is their sum.
    const inputs = { bias: tensorOf([-1], [1]), d_lse: tensorOf([3], [1, 1, 1]) };
    const problem = lift(rational, row([0, 1], [3, 6], { wants: ['out', 'd_bias'] }, inputs));
    expect(show(attention(problem).out)).toEqual(['5']);
    const g = attentionGradients(problem);
    expect([show(g.dK), show(g.dBias)]).toEqual([['1/3', '8/3'], ['3']]);
  });

  it('two query heads share a KV head: dK and dV add up', () => {
    // Heads q = 1 and q = 0: the first as in the first example, the second uniform: O = 9/2,
    // dS = 1/2·(−3/2, 3/2). dV = P₁ + P₂ = (5/6, 7/6). dK = dS₁·1 + dS₂·0.
    const inputs = { q: tensorOf([1, 0], [1, 2, 1, 1]), d_out: tensorOf([1, 1], [1, 2, 1, 1]) };
    const problem = lift(rational, row([0, 1], [3, 6], { heads: 2 }, inputs));
    expect(show(attention(problem).out)).toEqual(['5', '9/2']);
    const g = attentionGradients(problem);
    expect([show(g.dV), show(g.dK), show(g.dQ)]).toEqual([
      ['5/6', '7/6'],
      ['-2/3', '2/3'],
      ['2/3', '3/4'],
    ]);
  });

  it('features and weights: the chain rule through K = Y W_K, V = Y W_V', () => {
    // y = (0, 1), w_k = 1, w_v = 6: keys 0 and 1, values 0 and 6. O = 4 = D, dS = (−4/3, 4/3), dV = (1/3, 2/3).
    // dY = dS·1 + dV·6 = (2/3, 16/3). dW_K = Σ y dK = 4/3. dW_V = Σ y dV = 2/3.
    const c = row([0, 1], [3, 6]);
    const { k: _, v: __, ...inputs } = c.inputs;
    const features = {
      y: tensorOf([0, 1], [1, 2, 1]),
      w_k: tensorOf([1], [1, 1]),
      w_v: tensorOf([6], [1, 1]),
    };
    const built = validateCase(
      { ...c.parameters, dim_y: 1, wants: ['d_y', 'd_w_k', 'd_w_v'] },
      { ...inputs, ...features },
    );
    const g = attentionGradients(lift(rational, built));
    expect([show(g.dY), show(g.dWK), show(g.dWV)]).toEqual([['2/3', '16/3'], ['4/3'], ['2/3']]);
  });

  it('refuses what is not rational', () => {
    expect(() => attention(lift(rational, row([0.5, 1], [1, 1])))).toThrow(/integer/);
    expect(() => attention(lift(rational, row([0, 1], [1, 1], { softcap: 1 })))).toThrow(/softcap/);
    expect(() => rational.log(fraction(3))).toThrow(/power of two/);
    expect(rational.log(fraction(1, 8)).toFraction()).toBe('-3');
  });

  it('takes a double for exactly what it is', () => {
    expect(rational.fromNumber(0.1).toFraction()).toBe('3602879701896397/36028797018963968');
    expect(rational.fromNumber(-5e-324).d).toBe(1n << 1074n);
  });
});

/** Integer scores and values of one row. */
const keys = fc.array(
  fc.record({ s: fc.integer({ min: -40, max: 40 }), v: fc.integer({ min: -9, max: 9 }) }),
  { maxLength: 9 },
);

describe('the merge, exactly (spec 20-23)', () => {
  const partial = (list: { s: number; v: number }[]): PartialResult<Fraction> =>
    list.reduce<PartialResult<Fraction>>(
      (sum, { s, v }) => merge(rational, sum, single(rational, fraction(s), [fraction(v)])),
      null,
    );
  const text = (p: PartialResult<Fraction>) =>
    p && [p.m.toFraction(), p.l.toFraction(), p.o.map((x) => x.toFraction())];

  it('is associative and commutative, the empty set its identity', () => {
    fc.assert(
      fc.property(keys, keys, keys, (x, y, z) => {
        const [a, b, c] = [partial(x), partial(y), partial(z)];
        expect(text(merge(rational, a, merge(rational, b, c)))).toEqual(
          text(merge(rational, merge(rational, a, b), c)),
        );
        expect(text(merge(rational, a, b))).toEqual(text(merge(rational, b, a)));
        expect(text(merge(rational, a, null))).toEqual(text(a));
        expect(text(merge(rational, null, a))).toEqual(text(a));
      }),
      { numRuns: 200 },
    );
  });

  it('over any partition, order and tree gives attention', () => {
    fc.assert(
      fc.property(
        keys.filter((list) => list.length > 0),
        fc.array(fc.nat(), { maxLength: 30 }),
        (list, picks) => {
          // Start from single keys in a drawn order and join two drawn partials until one is left.
          const pool = list.map(({ s, v }) => partial([{ s, v }]));
          let n = 0;
          const take = (): PartialResult<Fraction> =>
            pool.splice((picks[n++ % Math.max(1, picks.length)] ?? 0) % pool.length, 1)[0] ?? null;
          while (pool.length > 1) pool.push(merge(rational, take(), take()));
          const whole = attention(
            lift(
              rational,
              row(
                list.map(({ s }) => s),
                list.map(({ v }) => v),
              ),
            ),
          );
          expect(finish(rational, pool[0] ?? null)?.map((x) => x.toFraction())).toEqual(
            show(whole.out),
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('has nothing to finish in the empty set', () => {
    expect(finish(rational, null)).toBe(null);
    expect(elementCount([])).toBe(1);
  });
});
