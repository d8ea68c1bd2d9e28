import type { BigNumber } from 'mathjs';
import { describe, expect, it } from 'vitest';
import type { AttentionCase } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { big } from '../numbers/big.ts';
import { float64 } from '../numbers/float64.ts';
import { forEachIndex, type Tensor } from '../numbers/tensor.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { attention, logSumExp } from './attention.ts';
import { attentionGradients, gradientsByName } from './gradients.ts';
import { lift, type Problem } from './lift.ts';
import { type Features, recomputeKeysAndValues } from './recompute.ts';

const arithmetic = big(50);
const number = (x: number) => arithmetic.fromNumber(x);

/** L = Σ dO∘O + Σ dLSE∘LSE over the rows that attend to something. */
function loss(problem: Problem<BigNumber>): BigNumber {
  const { features, parameters } = problem;
  if (features !== null)
    [problem.k, problem.v] = recomputeKeysAndValues(arithmetic, parameters, features);
  const forward = attention(problem);
  let sum = arithmetic.zero;
  forEachIndex(forward.out.shape, (at) => {
    sum = sum.plus(problem.dOut.get(...at).times(forward.out.get(...at)));
  });
  const lse = logSumExp(problem, forward.rows);
  forEachIndex(lse.shape, (at) => {
    const value = lse.get(...at);
    if (value !== null) sum = sum.plus(problem.dLse.get(...at).times(value));
  });
  return sum;
}

/** (L(x + h) − L(x − h))/2h, x restored. */
function centralDifference(
  problem: Problem<BigNumber>,
  tensor: Tensor<BigNumber>,
  at: number[],
  h: BigNumber,
): BigNumber {
  const x = tensor.get(...at);
  tensor.set(...at, x.plus(h));
  const up = loss(problem);
  tensor.set(...at, x.minus(h));
  const down = loss(problem);
  tensor.set(...at, x);
  return up.minus(down).dividedBy(h.times(2));
}

/** Each input that has a gradient, under the gradient's name. */
function perturbable(problem: Problem<BigNumber>): [string, Tensor<BigNumber>][] {
  const features: Partial<Features<BigNumber>> = problem.features ?? {};
  const named: [string, Tensor<BigNumber> | null | undefined][] = [
    ['d_q', problem.q],
    ['d_k', problem.features === null ? problem.k : null],
    ['d_v', problem.features === null ? problem.v : null],
    ['d_bias', problem.bias],
    ['d_sink', problem.sink],
    ['d_y', features.y],
    ['d_w_k', features.wK],
    ['d_w_v', features.wV],
  ];
  return named.filter(
    (one): one is [string, Tensor<BigNumber>] => one[1] !== null && one[1] !== undefined,
  );
}

function check(attentionCase: AttentionCase): string[] {
  const problem = lift(arithmetic, attentionCase);
  const gradients = new Map(gradientsByName(attentionGradients(problem)));
  const [h, tenth] = [number(2 ** -40), number(2 ** -40).dividedBy(10)];
  // Fifty digits of L, divided by the smaller step: what rounding alone may leave.
  const noise = loss(problem).abs().plus(1).times(1e-47).dividedBy(tenth);
  const checked: string[] = [];
  for (const [name, tensor] of perturbable(problem)) {
    const exact = gradients.get(name as 'd_q')!;
    const count = tensor.data.length;
    let n = 0;
    forEachIndex(tensor.shape, (at) => {
      // The first element and one near the middle; tensors of up to two elements whole.
      if (n++ % Math.max(1, Math.ceil(count / 2)) !== 0) return;
      const truth = exact.get(...at);
      const coarse = centralDifference(problem, tensor, at, h).minus(truth).abs();
      const fine = centralDifference(problem, tensor, at, tenth).minus(truth).abs();
      // The error is h²·f‴/6 ≈ 10⁻²⁴, and falls a hundredfold with h/10.
      expect(coarse.lessThan(1e-20), `${name}[${at}] ${coarse}`).toBe(true);
      const falls = fine.times(99).lessThan(coarse) || fine.lessThan(noise);
      expect(falls, `${name}[${at}] ${coarse} then ${fine}`).toBe(true);
    });
    checked.push(name);
  }
  return checked;
}

describe('gradients equal central differences in 50 digits, the error falling as h²', () => {
  const small = { heads: 2, head_dim: 2, head_dim_v: 1 };
  const all = new Set<string>();
  for (const [feature, changes] of FEATURE_CASES) {
    it(`with ${feature}`, () => {
      const shrunk = { ...small, ...changes, batch: changes.batch ?? 1 };
      for (const name of check(drawCase(21, { ...shrunk, dtype: 'f64' }))) all.add(name);
    });
  }

  it('for every input that has a gradient', () => {
    expect([...all].sort()).toEqual([
      'd_bias',
      'd_k',
      'd_q',
      'd_sink',
      'd_v',
      'd_w_k',
      'd_w_v',
      'd_y',
    ]);
  });
});

describe('gradients of what is chosen', () => {
  it('are those of the whole, of some rows alone, some keys alone, and both', () => {
    const problem = lift(float64, drawCase(3, { bias: [1, 2, 4, 9], dLse: true }));
    const whole = attentionGradients(problem);
    const [someRow, someKey] = [
      (_b: number, _h: number, i: number) => i === 2,
      (_b: number, _g: number, j: number) => j % 4 === 1,
    ];
    const none = () => false;
    for (const row of [someRow, none]) {
      for (const dK of [someKey, none]) {
        for (const dV of [someKey, none]) {
          const some = attentionGradients(problem, attention(problem), { row, dK, dV });
          for (const [name, chosen] of [
            ['dQ', row],
            ['dK', dK],
            ['dV', dV],
          ] as const) {
            forEachIndex(whole[name].shape, (at) => {
              const [b = 0, h = 0, i = 0] = at;
              const expected = chosen(b, h, i) ? whole[name].get(...at) : 0;
              expect([name, at, some[name].get(...at)]).toEqual([name, at, expected]);
            });
          }
        }
      }
    }
  });
});
