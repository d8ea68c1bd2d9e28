/**
 * Gradients are derivatives: along any direction in all inputs at once, the loss in sixty digits
 * changes as the gradients say. spec (10)-(18), (25), (26); Gradient.v
 *
 * Tolerance: a central difference at step h is off by C·h² + O(h⁴), so those at h and h/2 differ by
 * ¾C·h², and the one at h/2 is within that difference of the derivative, but for the digits.
 * @module
 */
import fc from 'fast-check';
import type { AttentionCase, OutputName } from '../reference/case/case.ts';
import { attention, logSumExp } from '../reference/definition/attention.ts';
import { attentionGradients, gradientsByName } from '../reference/definition/gradients.ts';
import { lift, type Problem } from '../reference/definition/lift.ts';
import { recomputeKeysAndValues } from '../reference/definition/recompute.ts';
import { big } from '../reference/numbers/big.ts';
import { forEachIndex, mapTensor, type Tensor } from '../reference/numbers/tensor.ts';
import { caseArbitrary } from './arbitraries/attention-case.ts';
import { uniformAt } from './arbitraries/values.ts';

const DIGITS = 60;
/** Digits of the loss's terms that a difference over h = 10⁻¹² leaves for certain. */
const NOISE = 1e-30;
const system = big(DIGITS);
type Big = ReturnType<typeof system.fromNumber>;

/** Σ dO∘O + Σ dLSE∘LSE. */
function loss(problem: Problem<Big>): Big {
  const { add, mul, zero } = system;
  const { out, rows } = attention(problem);
  let sum = zero;
  forEachIndex(out.shape, (at) => {
    sum = add(sum, mul(problem.dOut.get(...at), out.get(...at)));
  });
  const lse = logSumExp(problem, rows);
  forEachIndex(lse.shape, (at) => {
    const value = lse.get(...at);
    if (value !== null) sum = add(sum, mul(problem.dLse.get(...at), value));
  });
  return sum;
}

/** A direction for every input, by the name of its gradient. */
type Direction = (name: OutputName, index: readonly number[]) => number;

/** The problem moved by `step` along the direction. */
function moved(problem: Problem<Big>, direction: Direction, step: Big): Problem<Big> {
  const shift = (name: OutputName, tensor: Tensor<Big>): Tensor<Big> => {
    const copy = mapTensor(tensor, (x) => x);
    forEachIndex(tensor.shape, (at) => {
      const by = system.mul(step, system.fromNumber(direction(name, at)));
      copy.set(...at, system.add(tensor.get(...at), by));
    });
    return copy;
  };
  const { q, k, v, bias, sink, features } = problem;
  const there = {
    ...problem,
    q: shift('d_q', q),
    bias: bias === null ? null : shift('d_bias', bias),
    sink: sink === null ? null : shift('d_sink', sink),
  };
  if (features === null) return { ...there, k: shift('d_k', k), v: shift('d_v', v) };
  const through = {
    y: shift('d_y', features.y),
    wK: shift('d_w_k', features.wK),
    wV: shift('d_w_v', features.wV),
  };
  const [kThere, vThere] = recomputeKeysAndValues(system, problem.parameters, through);
  return { ...there, features: through, k: kThere, v: vThere };
}

/** Gradients, projected on the direction, and Σ|terms| beside. */
function projected(problem: Problem<Big>, direction: Direction): { sum: Big; size: number } {
  let [sum, size] = [system.zero, 0];
  for (const [name, tensor] of gradientsByName(attentionGradients(problem))) {
    // K and V are no inputs where they are recomputed.
    if (tensor === null || (problem.features !== null && (name === 'd_k' || name === 'd_v'))) {
      continue;
    }
    forEachIndex(tensor.shape, (at) => {
      const term = system.mul(tensor.get(...at), system.fromNumber(direction(name, at)));
      sum = system.add(sum, term);
      size += Math.abs(term.toNumber());
    });
  }
  return { sum, size };
}

function checkDerivative(c: AttentionCase, seed: number): void {
  const problem = lift(system, c);
  const direction: Direction = (name, index) => 2 * uniformAt(seed, name, index)() - 1;
  const difference = (step: Big): Big => {
    const up = loss(moved(problem, direction, step));
    const down = loss(moved(problem, direction, system.neg(step)));
    return system.div(system.sub(up, down), system.add(step, step));
  };
  const h = system.div(system.one, system.fromNumber(1e12));
  const coarse = difference(h);
  const fine = difference(system.div(h, system.fromNumber(2)));
  const { sum, size } = projected(problem, direction);
  const off = system.sub(fine, sum).abs().toNumber();
  const scale = size + Math.abs(loss(problem).toNumber()) + 1;
  const allowed = system.sub(coarse, fine).abs().toNumber() + NOISE * scale;
  if (!(off <= allowed)) {
    throw new Error(
      `derivative ${fine.toNumber()}, gradients say ${sum.toNumber()}: off by ${off}`,
    );
  }
}

/** Every feature, softcap and sinks included. */
export function gradientsAreDerivatives() {
  const cases = caseArbitrary({
    direction: 'backward',
    regimes: ['exact', 'normal'],
    shape: { batch: 1, kvHeads: 2, group: 2, seqQ: 2, seqKv: 4, headDim: 2, dimY: 2 },
  });
  return fc.property(cases, fc.nat({ max: 1000 }), checkDerivative);
}
