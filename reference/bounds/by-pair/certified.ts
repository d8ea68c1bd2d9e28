/**
 * A case with its answer in balls around float64 numbers: what the judge's bounds are made of and added to.
 *
 * Inputs are flat float64 arrays, row-major, as the reals they denote; everything computed comes as
 * a midpoint and a radius, from the one definition run over balls.
 * @module
 */

import {
  type AttentionCase,
  type CaseParameters,
  type InputName,
  type OutputName,
  wantsGradients,
} from '../../case/case.ts';
import { attention, logSumExp } from '../../definition/attention.ts';
import { attentionGradients, gradientsByName } from '../../definition/gradients.ts';
import { lift, type Problem } from '../../definition/lift.ts';
import type { Ball } from '../../numbers/ball.ts';
import type { NumberBallSystem } from '../../numbers/balls.ts';
import { nth } from '../../numbers/nth.ts';
import {
  broadcastStrides,
  elementCount,
  forEachRun,
  type Tensor,
  tensorOf,
  toFlat,
} from '../../numbers/tensor.ts';

/** A tensor of balls, flat: mid ± rad holds the exact value. */
export interface FlatBalls {
  readonly shape: readonly number[];
  readonly mid: Float64Array;
  readonly rad: Float64Array;
}

/** A tensor that broadcasts to [B, Hq, Sq, Skv], read with strides that are 0 along shared axes. */
export interface Broadcast {
  readonly data: Float64Array;
  readonly shape: readonly number[];
  readonly strides: readonly [number, number, number, number];
}

export interface CertifiedCase {
  readonly attentionCase: AttentionCase;
  readonly parameters: CaseParameters;
  readonly visible: Problem<unknown>['visible'];
  readonly q: Float64Array;
  /** K and V; their radii are 0 unless they are recomputed from features. */
  readonly k: FlatBalls;
  readonly v: FlatBalls;
  readonly dOut: Float64Array;
  readonly dLse: Float64Array;
  readonly bias: Broadcast | null;
  /** The factor κ of dropout, spec (8). */
  readonly kappa: Broadcast | null;
  readonly sink: Float64Array | null;
  readonly features: {
    readonly y: Float64Array;
    readonly wK: Float64Array;
    readonly wV: Float64Array;
  } | null;
  /** A row that attends to nothing has radius NaN. */
  readonly lse: FlatBalls;
  readonly out: FlatBalls;
  /** Null where the case wants no gradient. */
  readonly gradients: ReadonlyMap<OutputName, FlatBalls> | null;
}

/** NaN means an empty row and nothing else: a radius that is no number is an infinite one. */
function radiusOf(ball: Ball<number, number> | null): number {
  if (ball === null) return Number.NaN;
  return ball.rad >= 0 ? ball.rad : Number.POSITIVE_INFINITY;
}

function flatBalls<M>(
  { flat }: NumberBallSystem<M>,
  tensor: Tensor<Ball<M, number> | null>,
): FlatBalls {
  const balls = toFlat(tensor).map((ball) => (ball === null ? null : flat(ball)));
  const [mid, rad] = [new Float64Array(balls.length), new Float64Array(balls.length)];
  balls.forEach((ball, n) => {
    mid[n] = ball?.mid ?? Number.NEGATIVE_INFINITY;
    rad[n] = radiusOf(ball);
  });
  return { shape: tensor.shape, mid, rad };
}

/** An input, flat; what is not finite in it is never read, and becomes 0. */
export function flatInput({ inputs }: AttentionCase, name: InputName, size: number): Float64Array {
  const tensor = inputs[name];
  if (tensor === undefined) return new Float64Array(size);
  const flat = new Float64Array(elementCount(tensor.shape));
  forEachRun(tensor, (start, run) => flat.set(run, start));
  for (let n = 0; n < flat.length; n++) if (!Number.isFinite(flat[n])) flat[n] = 0; // poison: never read
  return flat;
}

export function broadcast(tensor: Tensor | undefined, f: (x: number) => number): Broadcast | null {
  if (tensor === undefined) return null;
  const { shape } = tensor;
  const data = Float64Array.from(toFlat(tensor), f);
  return { data, shape, strides: broadcastStrides(tensorOf<number>(data, shape)) };
}

/** The case in balls of a system; gradients only where it wants one. */
export function certifiedCase<M>(
  attentionCase: AttentionCase,
  system: NumberBallSystem<M>,
): CertifiedCase {
  const { arithmetic } = system;
  const { parameters, inputs } = attentionCase;
  const problem = lift(arithmetic, attentionCase);
  const forward = attention(problem);
  const size = (...shape: number[]): number => elementCount(shape);
  const { batch, heads, seq_q, head_dim_v, dropout_rate, dim_y } = parameters;
  const flat = (name: InputName, length = 0): Float64Array =>
    flatInput(attentionCase, name, length);
  const gradients = wantsGradients(parameters)
    ? gradientsByName(attentionGradients(problem, forward)).flatMap(([name, tensor]) =>
        tensor === null ? [] : [[name, flatBalls(system, tensor)] as const],
      )
    : null;
  const kept = arithmetic.div(
    arithmetic.one,
    arithmetic.sub(arithmetic.one, arithmetic.fromNumber(dropout_rate)),
  );
  const factor = system.flat(kept);
  return {
    attentionCase,
    parameters,
    visible: problem.visible,
    q: flat('q'),
    k: flatBalls(system, problem.k),
    v: flatBalls(system, problem.v),
    dOut: flat('d_out', size(batch, heads, seq_q, head_dim_v)),
    dLse: flat('d_lse', size(batch, heads, seq_q)),
    bias: broadcast(inputs.bias, (x) => x),
    kappa: broadcast(inputs.dropout_keep, (keep) => (keep === 0 ? 0 : factor.mid + factor.rad)),
    sink: inputs.sink === undefined ? null : flat('sink'),
    features: dim_y === undefined ? null : { y: flat('y'), wK: flat('w_k'), wV: flat('w_v') },
    lse: flatBalls(system, logSumExp(problem, forward.rows)),
    out: flatBalls(system, forward.out as Tensor<Ball<M, number> | null>),
    gradients: gradients === null ? null : new Map(gradients),
  };
}

/** |x| at most, element by element. */
export function upper({ mid, rad }: FlatBalls): Float64Array {
  return mid.map((x, n) => Math.abs(x) + nth(rad, n));
}

/** Has every wanted output a finite radius everywhere? */
export function isBounded({ out, lse, gradients }: CertifiedCase): boolean {
  const all = [out, lse, ...(gradients?.values() ?? [])];
  return all.every(({ rad }) => rad.every((r) => r < Number.POSITIVE_INFINITY || Number.isNaN(r)));
}
