/**
 * Expectation: for one case and one profile, the answer and how far from it one may be.
 *
 * The values are the float64 reference's; its own error is inside the bounds (error-model.ts).
 * @module
 */
import { float64 } from './arithmetic/float64.ts';
import { attention, type Forward, logSumExp } from './attention.ts';
import {
  lseStored,
  type OperandError,
  operandError,
  outError,
  type RowBound,
  rowBound,
} from './bounds.ts';
import { backwardBounds } from './bounds-backward.ts';
import type { AttentionCase, OutputName, Outputs } from './case.ts';
import { type ErrorModel, errorModel, lambdaFor } from './error-model.ts';
import { attentionGradients, type Gradients, gradientsByName } from './gradients.ts';
import { lift, type Problem } from './lift.ts';
import { PROFILES, type ProfileName } from './profile.ts';
import { elementCount, filled, forEachIndex, mapTensor, type Tensor, zeros } from './tensor.ts';

/** Relative allowance for float64 rounding in the magnitudes the bounds are made of. bounds.md §6 */
const SLACK = 1 + 2 ** -20;

/** Bounds of every output; the LSE's depends on the format it is stored in. */
export interface Bounds {
  readonly of: (name: OutputName, storedRoundoff: number) => Tensor | undefined;
}

export interface Expectation {
  readonly attentionCase: AttentionCase;
  readonly profile: ProfileName;
  /** Shapes as in the case; LSE −Infinity for empty rows. */
  readonly values: Outputs;
  readonly worstCase: Bounds;
  /** Null where rounding errors need not be independent (structured and exact cases). */
  readonly probabilistic: Bounds | null;
}

/** A case evaluated in float64: what the magnitudes of the bounds are taken from. */
export interface Evaluated {
  readonly problem: Problem<number>;
  readonly forward: Forward<number>;
  readonly gradients: Gradients<number> | null;
}

function inflate(tensor: Tensor): Tensor {
  return mapTensor(tensor, (value) => value * SLACK);
}

function forwardBounds(
  { problem, forward }: Evaluated,
  model: ErrorModel,
  operands: OperandError | null,
): { rows: Tensor<RowBound | null>; out: Tensor } {
  const rows = filled<RowBound | null>(forward.rows.shape, null);
  const out = zeros(forward.out.shape);
  forEachIndex(rows.shape, ([b = 0, h = 0, i = 0]) => {
    const row = rowBound(problem, forward, model, operands, [b, h, i]);
    rows.set(b, h, i, row);
    if (row === null) return;
    for (let c = 0; c < problem.parameters.head_dim_v; c++) {
      const { rounded } = outError(problem, forward, model, operands, row, [b, h, i, c]);
      out.set(b, h, i, c, rounded);
    }
  });
  return { rows, out };
}

function lseBound(model: ErrorModel, rows: Tensor<RowBound | null>, stored: number): Tensor {
  const bound = zeros(rows.shape);
  forEachIndex(rows.shape, (at) => {
    const row = rows.get(...at);
    if (row !== null) bound.set(...at, lseStored(model, row, stored) * SLACK);
  });
  return bound;
}

/** Bounds of every output under a model. */
export function boundsOf(evaluated: Evaluated, model: ErrorModel): Bounds {
  const { problem, forward, gradients } = evaluated;
  const operands = operandError(problem, model);
  const { rows, out } = forwardBounds(evaluated, model, operands);
  const fixed: Outputs = { out: inflate(out) };
  if (gradients !== null) {
    const bounds = backwardBounds(problem, forward, model, operands, rows, gradients);
    for (const [name, tensor] of gradientsByName(bounds)) {
      if (tensor !== null) fixed[name] = inflate(tensor);
    }
  }
  return {
    of: (name, stored) => (name === 'lse' ? lseBound(model, rows, stored) : fixed[name]),
  };
}

/** An upper bound on the number of sums whose rounding the probabilistic bound speaks of. */
function sumCount({ parameters }: AttentionCase): number {
  const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y = 0 } = parameters;
  const pairs = batch * heads * seq_q * Math.max(1, seq_kv);
  const elements = batch * heads * (seq_q + seq_kv) * (head_dim + head_dim_v + 4);
  const projections = (head_dim + head_dim_v) * heads * (dim_y + seq_kv) + seq_kv * dim_y;
  return 4 * pairs + elements + batch * projections;
}

function outputsOf(attentionCase: AttentionCase, evaluated: Evaluated): Outputs {
  const { problem, forward, gradients } = evaluated;
  const lse = mapTensor(
    logSumExp(problem, forward.rows),
    (value) => value ?? Number.NEGATIVE_INFINITY,
  );
  const all: Outputs = { out: forward.out, lse };
  if (gradients !== null) {
    for (const [name, tensor] of gradientsByName(gradients)) {
      if (tensor !== null) all[name] = tensor;
    }
  }
  const wanted: Outputs = {};
  for (const name of attentionCase.parameters.wants) {
    const tensor = all[name];
    if (tensor !== undefined) wanted[name] = tensor;
  }
  return wanted;
}

/** The case in float64, by the definition; gradients only where it wants one. */
export function evaluateFloat64(attentionCase: AttentionCase): Evaluated {
  const problem = lift(float64, attentionCase);
  const forward = attention(problem);
  const wantsGradients = attentionCase.parameters.wants.some((name) => name.startsWith('d_'));
  return {
    problem,
    forward,
    gradients: wantsGradients ? attentionGradients(problem, forward) : null,
  };
}

/** The answer to a case, with the bounds that a profile allows. */
export function expectation(attentionCase: AttentionCase, profile: ProfileName): Expectation {
  const evaluated = evaluateFloat64(attentionCase);
  const model = (lambda: number | null) =>
    errorModel(PROFILES[profile], attentionCase.parameters.dtype, lambda);
  const random =
    attentionCase.judging === 'random' && elementCount(evaluated.forward.rows.shape) > 0;
  return {
    attentionCase,
    profile,
    values: outputsOf(attentionCase, evaluated),
    worstCase: boundsOf(evaluated, model(null)),
    probabilistic: random ? boundsOf(evaluated, model(lambdaFor(sumCount(attentionCase)))) : null,
  };
}
