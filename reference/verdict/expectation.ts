/**
 * Expectation: for one case and one profile, the answer and how far from it one may be.
 *
 * The answer comes in balls (certified.ts). A candidate may be off by what its profile allows it,
 * plus the radius of the ball it is compared with.
 * @module
 */

import { lseStored } from '../bounds/by-pair/bounds.ts';
import { summedOf, withinMagnitude } from '../bounds/by-pair/bounds-backward.ts';
import { doubleKernelCase, kernelCase } from '../bounds/by-pair/by-kernels.ts';
import {
  type CertifiedCase,
  certifiedCase,
  type FlatBalls,
  isBounded,
} from '../bounds/by-pair/certified.ts';
import { type Composed, compose } from '../bounds/by-pair/composition.ts';
import { backwardBounds } from '../bounds/by-pair/gradient-bounds.ts';
import type { Composing, ModelBounds } from '../bounds/by-pair/walk.ts';
import { caseModel, type ErrorModel, lambdaFor, SLACK } from '../bounds/lemmas/error-model.ts';
import type { Profile } from '../bounds/lemmas/profile.ts';
import { type ProfileLike, profileFrom } from '../bounds/lemmas/profile-options.ts';
import { type Beyond, beyondElements, widenBeyond } from '../bounds/range/range.ts';
import { largest } from '../bounds/range/range-limits.ts';
import { overflowCheck } from '../bounds/range/within-range.ts';
import type { AttentionCase, OutputName, Outputs } from '../case/case.ts';
import { outputShape, reshapedOutputs } from '../case/case-shapes.ts';
import { isMerge, partsAsKeys } from '../case/merge-case.ts';
import { doubleDoubleBall, float64Ball } from '../numbers/balls.ts';
import { unitRoundoff } from '../numbers/format.ts';
import { lazily } from '../numbers/lazily.ts';
import { nth } from '../numbers/nth.ts';
import { reshaped, type Tensor, tensorOf } from '../numbers/tensor.ts';

/** Bounds of every output; the LSE's depends on the format it is stored in. */
export interface Bounds {
  readonly of: (name: OutputName, storedRoundoff: number) => Tensor | undefined;
}

export interface Expectation {
  readonly attentionCase: AttentionCase;
  readonly profile: Profile;
  /** Midpoints; shapes as in the case; LSE −Infinity for empty rows. */
  readonly values: Outputs;
  readonly worstCase: Bounds;
  /** No larger than those; null where rounding errors need not be independent (structured and exact cases). */
  readonly probabilistic: Bounds | null;
  /** Elements that an honest candidate may lose to overflow: nothing is asked of them. Lemma Range */
  readonly excused: (name: OutputName) => Tensor<boolean> | undefined;
  /** Of a sample: where an element of it lies in the whole output. */
  readonly place?: (name: OutputName, index: readonly number[]) => number[];
}

/** Bounds, and that of the LSE as it is summed, which P and Lemma Range rest on. */
export interface RowsBounds extends Bounds {
  readonly lseAsSummed: Tensor;
}

/** The bound with slack and the radius of the exact value's ball; whatever is no number is infinite. */
export function widened(bound: Float64Array, { rad, shape }: FlatBalls): Tensor {
  const whole = new Float64Array(bound.length);
  for (let n = 0; n < whole.length; n++) {
    const sum = nth(bound, n) * SLACK + nth(rad, n) * SLACK;
    whole[n] = sum >= 0 ? sum : Number.POSITIVE_INFINITY;
  }
  return tensorOf<number>(whole, shape);
}

/** The LSE's bound in the format it is stored in; 0 where a row attends to nothing. */
export function lseBound(
  lseBalls: FlatBalls,
  { model, lseError }: Pick<ModelBounds, 'model' | 'lseError'>,
  stored: number,
): Tensor {
  const { mid, rad } = lseBalls;
  const bound = mid.map((lse, n) =>
    Number.isNaN(rad[n])
      ? 0
      : lseStored(model, Math.abs(lse) + nth(rad, n), nth(lseError, n), stored),
  );
  const radius = rad.map((r) => (Number.isNaN(r) ? 0 : r));
  return widened(bound, { ...lseBalls, rad: radius });
}

/** One model's bounds of every output, from what a walk through the pairs came to. */
function boundsFrom(c: CertifiedCase, { sums }: Composed, one: ModelBounds): RowsBounds {
  const fixed: Outputs = { out: widened(one.out, c.out) };
  if (sums !== null) {
    for (const [name, bound] of backwardBounds(one, sums)) {
      const balls = c.gradients?.get(name);
      const sum = summedOf(sums, name);
      if (balls === undefined) continue;
      fixed[name] = widened(bound, sum === undefined ? balls : withinMagnitude(balls, sum));
    }
  }
  return {
    of: (name, stored) => (name === 'lse' ? lseBound(c.lse, one, stored) : fixed[name]),
    lseAsSummed: lseBound(c.lse, one, one.model.accumulation),
  };
}

/** Bounds of every output under each model; magnitudes are computed once for all of them. */
export function boundsOf(
  c: CertifiedCase,
  models: readonly ErrorModel[],
  composing: Composing = {},
): RowsBounds[] {
  const composed = compose(c, models, composing);
  return composed.each.map((one) => boundsFrom(c, composed, one));
}

/** An upper bound on the number of sums whose rounding the probabilistic bound speaks of. */
export function sumCount({ parameters }: AttentionCase): number {
  const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y = 0 } = parameters;
  const pairs = batch * heads * seq_q * Math.max(1, seq_kv);
  const elements = batch * heads * (seq_q + seq_kv) * (head_dim + head_dim_v + 4);
  const projections = (head_dim + head_dim_v) * heads * (dim_y + seq_kv) + seq_kv * dim_y;
  return 4 * pairs + elements + batch * projections;
}

/** The midpoints of every output that the case wants. */
function valuesOf(c: CertifiedCase): Outputs {
  const balls = (name: OutputName): FlatBalls | undefined =>
    name === 'out' ? c.out : name === 'lse' ? c.lse : c.gradients?.get(name);
  return Object.fromEntries(
    c.parameters.wants.flatMap((name) => {
      const mid = balls(name)?.mid;
      return mid === undefined
        ? []
        : [[name, tensorOf<number>(mid, outputShape(c.attentionCase, name))]];
    }),
  );
}

/** Products of Q K and P V up to which the definition over balls takes no longer than the kernels. */
const FEW = 2 ** 13;

/** How many products of a query and a key, a weight and a value, the case has. */
export function productsOf({ parameters }: AttentionCase): number {
  const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v } = parameters;
  return batch * heads * seq_q * seq_kv * (head_dim + head_dim_v);
}

/** Products of Q K and P V beyond which what walks through a case element by element takes minutes. */
export const LARGE = 2 ** 28;

/** Elements of K and V beyond which they, and what is made of them, are not held in memory. */
const HELD = 2 ** 24;

/** Are the bounds of a case those of its pairs? Else of its rows, if Lemma Range can be told from its largest inputs. */
export function isByPairs(c: AttentionCase): boolean {
  const { batch, kv_heads, seq_kv, head_dim, head_dim_v } = c.parameters;
  return productsOf(c) < LARGE || batch * kv_heads * seq_kv * (head_dim + head_dim_v) <= HELD;
}

/**
 * The answer in balls: in float64, or in double-double where a candidate is itself as precise as float64
 * or where a float64 ball is unbounded. By the kernels; by the definition where they say nothing, where
 * there is little to do, and where answers are exact and so must be the midpoints.
 */
function certifiedFor(
  attentionCase: AttentionCase,
  profile: Profile,
  kernelsOnly: boolean,
): CertifiedCase | null {
  const defined = attentionCase.judging === 'exact' || productsOf(attentionCase) <= FEW;
  const coarse = profile.accumulation > unitRoundoff('f64');
  const ways = [
    ...(coarse && !defined ? [kernelCase] : []),
    ...(coarse && !kernelsOnly ? [(c: AttentionCase) => certifiedCase(c, float64Ball)] : []),
    ...(defined ? [] : [doubleKernelCase]),
  ];
  for (const way of ways) {
    const found = way(attentionCase);
    if (found !== null && isBounded(found)) return found;
  }
  return kernelsOnly ? null : certifiedCase(attentionCase, doubleDoubleBall);
}

/** Bounds without those of elements that may overflow on the way. Lemma Range */
function withinRange(
  bounds: () => Bounds,
  values: Outputs,
  excused: Expectation['excused'],
): Bounds {
  return {
    of: (name, stored) => {
      const bound = bounds().of(name, stored);
      return bound === undefined ? bound : widenBeyond(bound, values[name], excused(name));
    },
  };
}

/** What is expected of a merge: what is expected of attention over its parts. Lemma Parts */
function mergeExpectation(merge: AttentionCase, asked: ProfileLike): Expectation {
  const expected = expectationOf(partsAsKeys(merge), asked, false, merge.parameters);
  if (expected === null) throw new Error('the definition gave no answer');
  const { values, worstCase, probabilistic, excused } = expected;
  const own = <T>(name: OutputName, tensor: Tensor<T> | undefined): Tensor<T> | undefined =>
    tensor === undefined ? undefined : reshaped(tensor, outputShape(merge, name));
  const bounds = ({ of }: Bounds): Bounds => ({
    of: (name, stored) => own(name, of(name, stored)),
  });
  return {
    ...{ attentionCase: merge, profile: expected.profile },
    values: reshapedOutputs(merge, values),
    worstCase: bounds(worstCase),
    probabilistic: probabilistic === null ? null : bounds(probabilistic),
    excused: (name) => own(name, excused(name)),
  };
}

/** The answer to a case, with the bounds that a profile allows. */
export function expectation(attentionCase: AttentionCase, asked: ProfileLike): Expectation {
  if (isMerge(attentionCase.parameters)) return mergeExpectation(attentionCase, asked);
  const expected = expectationOf(attentionCase, asked, false);
  if (expected === null) throw new Error('the definition gave no answer');
  return expected;
}

/**
 * The same of a case too large for what goes element by element through the definition: null where the kernels
 * leave something unbounded, or the largest inputs do not tell that nothing overflows.
 */
export const expectationByKernels = (
  attentionCase: AttentionCase,
  asked: ProfileLike,
): Expectation | null => expectationOf(attentionCase, asked, true);

/** The bounds that decide whether a right program may be there, and those of any program. */
interface BothBounds {
  readonly probabilistic: RowsBounds | null;
  readonly worstCase: () => RowsBounds;
  /** Of the LSE as it is summed, in the worst case: no less than its bound anywhere. */
  readonly lseAtMost: number;
}

/**
 * The worst case's bounds are computed when they are asked for: what keeps the probabilistic ones, which are no
 * larger, keeps those.
 */
function bothBounds(c: CertifiedCase, worst: ErrorModel, likely: ErrorModel | null): BothBounds {
  if (likely === null) {
    const [bounds] = boundsOf(c, [worst]);
    if (bounds === undefined) throw new Error('no bound was derived');
    const lseAtMost = largest(bounds.lseAsSummed);
    return { probabilistic: null, worstCase: () => bounds, lseAtMost };
  }
  const composed = compose(c, [likely], { alsoUnder: worst });
  const [one] = composed.each;
  if (one === undefined) throw new Error('no bound was derived');
  return {
    probabilistic: boundsFrom(c, composed, one),
    worstCase: lazily(() => bothBounds(c, worst, null).worstCase()),
    lseAtMost: composed.lseAtMost,
  };
}

function expectationOf(
  attentionCase: AttentionCase,
  asked: ProfileLike,
  kernelsOnly: boolean,
  parameters = attentionCase.parameters,
): Expectation | null {
  const profile = profileFrom(asked);
  const c = certifiedFor(attentionCase, profile, kernelsOnly);
  if (c === null) return null;
  const model = (lambda: number | null) => caseModel(profile, parameters, lambda);
  const random = attentionCase.judging === 'random';
  const worstModel = model(null);
  const likely = random ? model(lambdaFor(sumCount(attentionCase))) : null;
  const { probabilistic, worstCase, lseAtMost } = bothBounds(c, worstModel, likely);
  const fits = overflowCheck(attentionCase);
  const nothingBeyond = lazily(
    () => fits(worstModel, lseAtMost) || fits(worstModel, largest(worstCase().lseAsSummed)),
  );
  if (kernelsOnly && !nothingBeyond()) return null;
  const known = lazily(
    (): Beyond =>
      nothingBeyond() ? {} : beyondElements(attentionCase, worstModel, worstCase().lseAsSummed),
  );
  const excused = (name: OutputName): Tensor<boolean> | undefined => known()[name];
  const values = valuesOf(c);
  const ranged = (bounds: () => Bounds): Bounds => withinRange(bounds, values, excused);
  return {
    ...{ attentionCase, profile, values, excused },
    worstCase: ranged(worstCase),
    probabilistic: probabilistic === null ? null : ranged(() => probabilistic),
  };
}
