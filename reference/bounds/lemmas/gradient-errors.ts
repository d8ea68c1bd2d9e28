/**
 * What the steps of the backward pass may lose, one function a step. spec/bounds.md §4
 *
 * Each is proved, for the worst-case count of roundings, by the theorem of spec/theory/
 * BackwardAccuracy.v that its definition of the same name in BackwardModel.v stands in. Arguments
 * are magnitudes at most as large as they may be; results are errors, relative to nothing.
 * @module
 */
import { exp } from '../../numbers/float64.ts';
import { type ErrorModel, growth, sumGrowth } from './error-model.ts';
import { finalRounding } from './step-errors.ts';

/** What rounding to the operand format may lose near zero: half a subnormal there, or a flush. */
const eta = (model: ErrorModel): number => model.operandTiny + model.tiny;

/** The same of an input that is a matrix operand, read as zero or not; and of one that is none. */
export const etaIn = (model: ErrorModel): number => model.inputTiny + model.tiny;
const etaStored = (model: ErrorModel): number => model.storedTiny + model.tiny;

/** Lemma Recomputed P: exp(s − LSE) from a rounded LSE, or the forward pass's own P. */
export function recomputedWeight(
  { exponential: uE, accumulation: uA, probabilities: uP }: ErrorModel,
  { lse }: { readonly lse: number },
  { lseError }: { readonly lseError: number },
  score: number,
  fromLse: number,
  weight: number,
): number {
  const stored = lseError + 2 * uA * (lse + lseError);
  return (weight + stored + uE * (score + 2 * lse + 5 * fromLse + 4)) * (1 + 8 * uE) + uP;
}

/** Absolute error of P: its factors, a flush to zero, a rounding to the operand format near zero. */
export const probabilityError = (model: ErrorModel, p: number, grown: number): number =>
  p * grown + (2 * model.tiny + eta(model)) * (1 + grown);

/** The same of a key by `below` below the LSE, whatever `weight` may be. Lemma Far keys */
export function farProbabilityError(
  model: ErrorModel,
  p: number,
  below: number,
  weight: number,
): number {
  return p + 2 * exp(weight - below) + 2 * (2 * model.tiny + eta(model));
}

/** What is the same for every pair. */
export const gradientTerms = (model: ErrorModel, width: number) => ({
  grown: sumGrowth(model, width, 3, model.scores, 2 * model.input),
  flushed: 2 * (width + 1) * model.tiny,
  input: etaIn(model),
});

/** Lemma dP: the error of G = κ dO·V. */
export function gradientError(
  { grown, flushed, input }: ReturnType<typeof gradientTerms>,
  kappa: number,
  products: number,
  carried: number,
  sizes: number,
): number {
  const absolute = (flushed + input * sizes) * (1 + grown);
  return kappa * ((products + carried) * grown + carried + absolute);
}

/** Lemma D, from the candidate's own rounded output: Σ dO·O. */
export function fromOutput(
  model: ErrorModel,
  width: number,
  [products, carried, sizes]: readonly [number, number, number],
): number {
  const grown = sumGrowth(model, width, 3, model.accumulation, model.input);
  const absolute = (2 * width * model.tiny + etaIn(model) * sizes) * (1 + grown);
  return carried + (products + carried) * grown + absolute;
}

/** What is the same for every one of `count` keys. */
export function fromKeyTerms(model: ErrorModel, count: number) {
  const perKey = sumGrowth(model, count, 3, model.accumulation);
  return { perKey, flushed: 2 * model.tiny * (1 + perKey) };
}
export type FromKeyTerms = ReturnType<typeof fromKeyTerms>;

/** Lemma D, as Σ P∘G: what one key brings. */
export function fromKey(
  { perKey, flushed }: FromKeyTerms,
  p: number,
  pError: number,
  g: number,
  gError: number,
): number {
  const term = pError * (g + gError) + p * gError;
  return term + (p * g + term) * perKey + flushed;
}

/** What is the same for every pair of a row whose D is off by `dError`. */
export const scoreGradientTerms = (
  model: ErrorModel,
  { d, dLse }: { readonly d: number; readonly dLse: number },
  dError: number,
) => ({
  rounded: 4 * model.accumulation + model.stored,
  stored: 2 * etaStored(model),
  ...{ tiny: model.tiny, d, dLse, dError },
});
export type ScoreGradientTerms = ReturnType<typeof scoreGradientTerms>;

/** Lemma dS: P·(|G| + |D| + |dLSE|) takes the error of P; the bracket brings its own. */
export function scoreGradientError(
  { rounded, stored, tiny, d, dLse, dError }: ScoreGradientTerms,
  p: number,
  pError: number,
  g: number,
  gError: number,
): number {
  const sizes = g + d + dLse;
  const errors = gError + dError;
  const bracket = errors + rounded * (sizes + errors) + stored + 4 * tiny;
  return pError * (sizes + bracket) + p * bracket + 8 * tiny;
}

/** Lemma Softcap factor: the error of 1 − t². */
export function factorError(model: ErrorModel, t: number, tError: number): number {
  const uA = model.accumulation;
  return (2 * t * tError + tError * tError) * (1 + 4 * uA) + 4 * uA;
}

/** Lemma Softcap factor: the error of dS times that factor; 1 without error where there is no softcap. */
export const rawGradientError = (
  dS: number,
  dSError: number,
  factor: number,
  error: number,
): number => dSError * (factor + error) + dS * error;

/**
 * Lemma Softcap factor, where c·tanh(raw/c) is derived step by step: dS times c, times the factor, over c. What
 * is flushed of the first two is divided by c.
 */
export function cappedGradientError(
  { accumulation: uA, tiny }: ErrorModel,
  cap: number,
  [dS, dSError]: readonly [number, number],
  [factor, error]: readonly [number, number],
): number {
  const grown = growth(4 * uA);
  const made = rawGradientError(dS, dSError, factor, error * (1 + uA));
  const flushed = 8 * (1 + factor + error) * (tiny / cap) + tiny;
  return made + (dS * factor + made) * grown + flushed * (1 + grown);
}

/** The error of dRaw: dS through the softcap's slope 1 − t², or dS where there is no softcap (cap 0). */
export function softcapGradientError(
  model: ErrorModel,
  cap: number,
  [dS, dSError]: readonly [number, number],
  { slope, t, tError }: { slope: number; t: number; tError: number },
): number {
  if (cap === 0) return rawGradientError(dS, dSError, 1, 0);
  return cappedGradientError(model, cap, [dS, dSError], [slope, factorError(model, t, tError)]);
}

/** dS where it is summed as it stands, perhaps rounded to the operand format: dBias and dSink. */
export function storedGradientError(model: ErrorModel, dS: number, dSError: number): number {
  return dSError + (model.probabilities * (dS + dSError) + eta(model));
}

/** What is the same for every term of dV. */
export function valueTerms(model: ErrorModel) {
  const { tiny } = model;
  const own = eta(model);
  const grown = growth(model.probabilities + 3 * model.accumulation + model.input);
  return { grown, flushed: (tiny + own) * (1 + grown), input: etaIn(model), tiny, own };
}
export type ValueTerms = ReturnType<typeof valueTerms>;

/** One component of dV, κ·P·dO: what multiplies |dO|. */
export const valueOfCotangent = (
  { grown, flushed }: ValueTerms,
  kappa: number,
  p: number,
  pError: number,
): number => kappa * (pError + (p + pError) * grown + flushed);

/** The rest of it. */
export const valueConstant = (
  { grown, input, tiny, own }: ValueTerms,
  kappa: number,
  p: number,
  pError: number,
): number => (kappa * input * (p + pError + tiny + own) + tiny) * (1 + grown);

/** What is the same for every term of dQ and dK. */
export function keyTerms(model: ErrorModel, scale: number) {
  const { probabilities, accumulation, scaledOperand, input, tiny } = model;
  const own = eta(model);
  const rounded = growth(probabilities + 6 * accumulation + 2 * scaledOperand + input);
  const flush = (1 + scale) * (1 + rounded);
  const [flushed, squares] = [flush * (own + 2 * tiny), 4 * (tiny + own) * own];
  return { scale, rounded, flush, flushed, squares, own, tiny };
}
export type KeyTerms = ReturnType<typeof keyTerms>;

/**
 * One component of dQ or dK: what multiplies |K| or |Q|. dS may be scaled first and then rounded to the operand
 * format, Q or K scaled and rounded twice, or the sum scaled last.
 */
export const keyOfOperand = (
  { scale, rounded, flushed }: KeyTerms,
  raw: number,
  rawError: number,
): number => scale * (rawError + (raw + rawError) * rounded) + flushed;

/** The rest of it. */
export const keyConstant = (
  { flush, squares, own, tiny }: KeyTerms,
  raw: number,
  rawError: number,
): number => flush * (2 * (raw + rawError) * own + squares + 2 * tiny);

/** What is the same for every product of dX and a weight or feature. */
export const projectedTerms = (model: ErrorModel) => ({
  rounded: growth(model.operand + model.input + model.accumulation),
  ...{ own: eta(model), input: etaIn(model), tiny: model.tiny },
});
export type ProjectedTerms = ReturnType<typeof projectedTerms>;

/** Error of one product of dX and a weight or feature, which enter it as operands. Lemma Project. */
export function projectionTermError(
  { rounded, own, input, tiny }: ProjectedTerms,
  size: number,
  error: number,
  a: number,
): number {
  const flush = own * a + input * (size + error) + own * input + tiny;
  return error * a + (size * a + error * a) * rounded + flush * (1 + rounded);
}

/**
 * Lemma Stored parts: each of `parts` sums rounded to the output format before they are added up, `size` being
 * the sum of their sizes at most.
 */
export function storedPartsError(model: ErrorModel, parts: number, size: number): number {
  return model.output * size + parts * model.outputTiny;
}

/** What is the same for every sum of `count` terms over the ranks. */
export function sumTerms(
  model: ErrorModel,
  { count, ranks }: { readonly count: number; readonly ranks: number },
) {
  const grown = sumGrowth(model, count, ranks + 1, model.accumulation);
  return { grown, flushed: count * model.tiny * (1 + grown) };
}
export type SumTerms = ReturnType<typeof sumTerms>;

/**
 * Such a sum, scaled and rounded: of terms that carry `made`, of sizes that sum up to `magnitude`, to a sum of
 * size `exact`. Lemma Accumulate.
 */
export function finishedError(
  model: Pick<ErrorModel, 'output' | 'outputTiny'>,
  { grown, flushed }: SumTerms,
  made: number,
  magnitude: number,
  exact: number,
): number {
  const summed = made + (magnitude + made) * grown + flushed;
  return summed + finalRounding(model, exact + summed);
}
