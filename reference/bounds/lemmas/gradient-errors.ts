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
  model: ErrorModel,
  { lse }: { readonly lse: number },
  { lseError }: { readonly lseError: number },
): (score: number, fromLse: number, weight: number) => number {
  const { exponential: uE, accumulation: uA, probabilities: uP } = model;
  const stored = lseError + 2 * uA * (lse + lseError);
  return (score, fromLse, weight) =>
    (weight + stored + uE * (score + 2 * lse + 5 * fromLse + 4)) * (1 + 8 * uE) + uP;
}

/** Absolute error of P: its factors, a flush to zero, a rounding to the operand format near zero. */
export function probabilityError(model: ErrorModel): (p: number, grown: number) => number {
  const flushed = 2 * model.tiny + eta(model);
  return (p, grown) => p * grown + flushed * (1 + grown);
}

/** The same of a key by `below` below the LSE, whatever `weight` may be. Lemma Far keys */
export function farProbabilityError(
  model: ErrorModel,
  p: number,
  below: number,
  weight: number,
): number {
  return p + 2 * exp(weight - below) + 2 * (2 * model.tiny + eta(model));
}

/** Lemma dP: the error of G = κ dO·V. */
export function gradientError(
  model: ErrorModel,
  width: number,
): (kappa: number, products: number, carried: number, sizes: number) => number {
  const grown = sumGrowth(model, width, 3, model.scores, 2 * model.input);
  const [flushed, input] = [2 * (width + 1) * model.tiny, etaIn(model)];
  return (kappa, products, carried, sizes) => {
    const absolute = (flushed + input * sizes) * (1 + grown);
    return kappa * ((products + carried) * grown + carried + absolute);
  };
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

/** Lemma D, as Σ P∘G over `count` keys: what one key brings. */
export function fromKey(
  model: ErrorModel,
  count: number,
): (p: number, pError: number, g: number, gError: number) => number {
  const perKey = sumGrowth(model, count, 3, model.accumulation);
  const flushed = 2 * model.tiny * (1 + perKey);
  return (p, pError, g, gError) => {
    const term = pError * (g + gError) + p * gError;
    return term + (p * g + term) * perKey + flushed;
  };
}

/** Lemma dS: P·(|G| + |D| + |dLSE|) takes the error of P; the bracket brings its own. */
export function scoreGradientError(
  model: ErrorModel,
  { d, dLse }: { readonly d: number; readonly dLse: number },
  dError: number,
): (p: number, pError: number, g: number, gError: number) => number {
  const rounded = 4 * model.accumulation + model.stored;
  const [stored, tiny] = [2 * etaStored(model), model.tiny];
  return (p, pError, g, gError) => {
    const sizes = g + d + dLse;
    const errors = gError + dError;
    const bracket = errors + rounded * (sizes + errors) + stored + 4 * tiny;
    return pError * (sizes + bracket) + p * bracket + 8 * tiny;
  };
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
  model: ErrorModel,
  cap: number,
): (dS: number, dSError: number, factor: number, error: number) => number {
  const { accumulation: uA, tiny } = model;
  const grown = growth(4 * uA);
  return (dS, dSError, factor, error) => {
    const made = rawGradientError(dS, dSError, factor, error * (1 + uA));
    const flushed = 8 * (1 + factor + error) * (tiny / cap) + tiny;
    return made + (dS * factor + made) * grown + flushed * (1 + grown);
  };
}

/** The error of dRaw: dS through the softcap's slope 1 − t², or dS where there is no softcap (cap 0). */
export function softcapGradientError(
  model: ErrorModel,
  cap: number,
): (dS: number, dSError: number, slope: number, t: number, tError: number) => number {
  if (cap === 0) return (dS, dSError) => rawGradientError(dS, dSError, 1, 0);
  const capped = cappedGradientError(model, cap);
  return (dS, dSError, slope, t, tError) =>
    capped(dS, dSError, slope, factorError(model, t, tError));
}

/** dS where it is summed as it stands, perhaps rounded to the operand format: dBias and dSink. */
export function storedGradientError(model: ErrorModel, dS: number, dSError: number): number {
  return dSError + (model.probabilities * (dS + dSError) + eta(model));
}

/** Of κ, P and its error: what multiplies |dO| in the error of a term of dV, and the rest. */
export interface ValueTermError {
  readonly ofCotangent: (kappa: number, p: number, pError: number) => number;
  readonly constant: (kappa: number, p: number, pError: number) => number;
}

/** One component of dV, κ·P·dO. */
export function valueTermError(model: ErrorModel): ValueTermError {
  const { tiny } = model;
  const [own, input] = [eta(model), etaIn(model)];
  const grown = growth(model.probabilities + 3 * model.accumulation + model.input);
  const flushed = (tiny + own) * (1 + grown);
  return {
    ofCotangent: (kappa, p, pError) => kappa * (pError + (p + pError) * grown + flushed),
    constant: (kappa, p, pError) =>
      (kappa * input * (p + pError + tiny + own) + tiny) * (1 + grown),
  };
}

/** Of dRaw and its error: what multiplies |K| or |Q| in the error of a term of dQ or dK, and the rest. */
export interface KeyTermError {
  readonly ofOperand: (raw: number, rawError: number) => number;
  readonly constant: (raw: number, rawError: number) => number;
}

/**
 * One component of dQ or dK: dS may be scaled first and then rounded to the operand format, Q or K scaled and
 * rounded twice, or the sum scaled last.
 */
export function keyTermError(model: ErrorModel, scale: number): KeyTermError {
  const { probabilities, accumulation, scaledOperand, input, tiny } = model;
  const own = eta(model);
  const rounded = growth(probabilities + 6 * accumulation + 2 * scaledOperand + input);
  const flush = (1 + scale) * (1 + rounded);
  const [ofFlush, squares] = [flush * (own + 2 * tiny), 4 * (tiny + own) * own];
  return {
    ofOperand: (raw, rawError) => scale * (rawError + (raw + rawError) * rounded) + ofFlush,
    constant: (raw, rawError) => flush * (2 * (raw + rawError) * own + squares + 2 * tiny),
  };
}

/** Error of one product of dX and a weight or feature, which enter it as operands. Lemma Project. */
export function projectionTermError(
  model: ErrorModel,
): (size: number, error: number, a: number) => number {
  const [own, input, { tiny }] = [eta(model), etaIn(model), model];
  const rounded = growth(model.operand + model.input + model.accumulation);
  return (size, error, a) => {
    const flush = own * a + input * (size + error) + own * input + tiny;
    return error * a + (size * a + error * a) * rounded + flush * (1 + rounded);
  };
}

/**
 * Lemma Stored parts: each of `parts` sums rounded to the output format before they are added up, `size` being
 * the sum of their sizes at most.
 */
export function storedPartsError(model: ErrorModel, parts: number, size: number): number {
  return model.output * size + parts * model.outputTiny;
}

/**
 * The sum of `count` terms over the ranks, scaled and rounded: of terms that carry `made`, of sizes that sum up
 * to `magnitude`, to a sum of size `exact`. Lemma Accumulate.
 */
export function finishedError(
  model: ErrorModel,
  { count, ranks }: { readonly count: number; readonly ranks: number },
): (made: number, magnitude: number, exact: number) => number {
  const grown = sumGrowth(model, count, ranks + 1, model.accumulation);
  const flushed = count * model.tiny * (1 + grown);
  return (made, magnitude, exact) => {
    const summed = made + (magnitude + made) * grown + flushed;
    return summed + finalRounding(model, exact + summed);
  };
}
