/**
 * The radii of the float64 kernels: spec/bounds.md, "The kernels' radii", one function per lemma.
 *
 * Every radius is a sum of products of non-negative doubles. Computing one takes fewer than 2²⁰
 * operations, each off by at most u of its result, so that the factor SLACK = 1 + 2⁻³⁰ rounds the
 * whole outward; what may be lost to underflow is added by name.
 * @module
 */

/** Unit roundoff of float64. */
export const U = 2 ** -53;
/** Covers the rounding of the radius itself, and second-order terms below 2⁻³⁰. */
export const SLACK = 1 + 2 ** -30;
/**
 * More than one underflow may lose (2⁻¹⁰⁷⁵): the smallest normal double, for processors are slow with
 * the ones below it.
 */
export const TINY = 2 ** -1022;
/** exp returns 0 below −745.14: no shift beyond this can be seen. */
const SHIFT_LIMIT = 746;
/** Magnitudes beyond this are given up: something may overflow. */
const OVERFLOW = 1e300;
/**
 * A bias below −FAR_BIAS is read as −∞: beside scores of a quarter of it such a key weighs nothing that any
 * number here could show. What is smaller is resolved by float64.
 */
export const FAR_BIAS = 2 ** 48;
/** Terms of a chunk; assembly/product.ts. */
const CHUNK = 32;

/** Largest log-domain error that is carried on; beyond it nothing is said. */
const LARGEST = 0.125;

/** e^T − 1 ≤ T + T² for 0 ≤ T ≤ 1 (growth_small in spec/theory/Kernels.v); Infinity beyond 1/8. */
export function growth(t: number): number {
  return t <= LARGEST ? (t + t * t) * SLACK : Number.POSITIVE_INFINITY;
}

/** Roundings of a dot product of `terms` in chunks, each at most u: the product, the sums. */
export function dotDepth(terms: number): number {
  return Math.min(terms, CHUNK) + Math.ceil(terms / CHUNK);
}

/** What a row has seen: no key, keys, or keys of which a bias puts some below all that is resolved. */
export const [SEES, SEES_FAR] = [1, 2] as const;

/** Upper bound of the Euclidean norm from a computed sum of `terms` squares. */
export function norm(squares: number, terms: number): number {
  return (Math.sqrt(squares) + Math.sqrt(terms) * 2 ** -537) * SLACK;
}

/** How far the scores of a row may be off, and how large they may be. */
export interface ScoreBound {
  readonly error: number;
  /** Error of raw/c's tanh; 0 without softcap. */
  readonly tanhError: number;
  /** Bound of every score and of the sink. */
  readonly largest: number;
}

export interface ScoreSetting {
  readonly scale: number;
  readonly softcap: number;
  readonly headDim: number;
}

/** Lemma Scores: |q·k| ≤ ‖q‖‖k‖ bounds both the size of a score and its rounding errors. */
export function scoreBound(
  { scale, softcap, headDim }: ScoreSetting,
  query: number,
  key: number,
  keyError: number,
  bias: number,
  sink: number,
): ScoreBound {
  const factor = Math.abs(scale);
  const product = query * (key + keyError) * SLACK;
  const size = factor * product * SLACK;
  if (!(product < OVERFLOW && size + bias + sink < OVERFLOW)) {
    return UNKNOWN;
  }
  const underflow = (headDim * factor + 2) * TINY;
  const raw = (size * (dotDepth(headDim) + 1) * U + factor * query * keyError) * SLACK + underflow;
  if (softcap === 0) {
    const largest = Math.max((size + raw) * SLACK + bias, sink);
    return { error: (raw + (bias > 0 ? largest * U : 0)) * SLACK, tanhError: 0, largest };
  }
  // raw/c, tanh (4u absolute, 20u relative), ·c: the slope of tanh is at most 1.
  const capped = Math.min(softcap, (size + raw) * SLACK) * SLACK;
  const rounding = (size * 2 + Math.min(4 * softcap, 20 * capped) + capped) * U;
  const error = (raw + rounding) * SLACK + (softcap + 2) * TINY;
  const largest = Math.max((capped + error) * SLACK + bias, sink);
  return {
    error: (error + largest * U) * SLACK,
    tanhError: Math.min(2, (raw / softcap + 2 * (size / softcap) * U + 24 * U) * SLACK + TINY),
    largest,
  };
}

/** Nothing is known of the scores. */
export const UNKNOWN: ScoreBound = {
  ...{ error: Number.POSITIVE_INFINITY, tanhError: 0, largest: Number.POSITIVE_INFINITY },
};

/** Lemma Far bias: of a row that has seen a key under one, the scores of the others must be far above. */
export const besideFar = (score: ScoreBound, seeing: number | undefined): ScoreBound =>
  seeing !== SEES_FAR || score.largest <= FAR_BIAS / 4 ? score : UNKNOWN;

/** Lemma Weights: log-domain error of exp(s − m), when m moved `moves` times. */
export function weightError({ error, largest }: ScoreBound, moves: number): number {
  const shift = Math.min(SHIFT_LIMIT * (moves + 1), 2 * largest);
  return (error + (shift + 4 + 5 * moves) * U) * SLACK;
}

/** Absolute error of one weight where it underflows. */
export function weightFloor(moves: number): number {
  return (moves + 3) * TINY;
}

/** Lemma Denominator: relative error of l, a sum of `keys` weights over `tiles` tiles of `width`. */
export function denominatorError(log: number, tiles: number, width: number, floor: number): number {
  const bound = growth(log + (width / 4 + 3 + tiles) * U * SLACK) + floor;
  return bound <= LARGEST ? bound * SLACK : Number.POSITIVE_INFINITY;
}

/** −log(1 − B), for B up to 1/8. */
export function logOfOneMinus(b: number): number {
  return b * (1 + b) * SLACK;
}

/** A radius, or Infinity where the value or the radius is not finite. */
export function finiteRadius(value: number, radius: number): number {
  const outward = radius * SLACK + TINY;
  return Number.isFinite(value) && outward < Number.POSITIVE_INFINITY
    ? outward
    : Number.POSITIVE_INFINITY;
}
