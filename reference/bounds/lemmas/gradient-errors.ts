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
  [score, fromLse, weight]: readonly [number, number, number],
): number {
  const { exponential: uE, accumulation: uA, probabilities: uP } = model;
  const stored = lseError + 2 * uA * (lse + lseError);
  return (weight + stored + uE * (score + 2 * lse + 5 * fromLse + 4)) * (1 + 8 * uE) + uP;
}

/** Absolute error of P: its factors, a flush to zero, a rounding to the operand format near zero. */
export function probabilityError(model: ErrorModel, p: number, grown: number): number {
  return p * grown + (2 * model.tiny + eta(model)) * (1 + grown);
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
  [kappa, products, carried, sizes]: readonly [number, number, number, number],
): number {
  const grown = sumGrowth(model, width, 3, model.scores, 2 * model.input);
  const absolute = (2 * (width + 1) * model.tiny + etaIn(model) * sizes) * (1 + grown);
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

/** Lemma D, as Σ P∘G over `count` keys: what one key brings. */
export function fromKey(
  model: ErrorModel,
  count: number,
  [p, pError, g, gError]: readonly [number, number, number, number],
): number {
  const perKey = sumGrowth(model, count, 3, model.accumulation);
  const term = pError * (g + gError) + p * gError;
  return term + (p * g + term) * perKey + 2 * model.tiny * (1 + perKey);
}

/** Lemma dS: P·(|G| + |D| + |dLSE|) takes the error of P; the bracket brings its own. */
export function scoreGradientError(
  model: ErrorModel,
  { d, dLse }: { readonly d: number; readonly dLse: number },
  dError: number,
  [p, pError, g, gError]: readonly [number, number, number, number],
): number {
  const sizes = g + d + dLse;
  const errors = gError + dError;
  const bracket =
    errors +
    (4 * model.accumulation + model.stored) * (sizes + errors) +
    2 * etaStored(model) +
    4 * model.tiny;
  return pError * (sizes + bracket) + p * bracket + 8 * model.tiny;
}

/** Lemma Softcap factor: the error of 1 − t². */
export function factorError(model: ErrorModel, t: number, tError: number): number {
  const uA = model.accumulation;
  return (2 * t * tError + tError * tError) * (1 + 4 * uA) + 4 * uA;
}

/** Lemma Softcap factor: the error of dS times that factor; 1 without error where there is no softcap. */
export function rawGradientError(
  [dS, dSError]: readonly [number, number],
  [factor, error]: readonly [number, number],
): number {
  return dSError * (factor + error) + dS * error;
}

/**
 * Lemma Softcap factor, where c·tanh(raw/c) is derived step by step: dS times c, times the factor, over c. What
 * is flushed of the first two is divided by c.
 */
export function cappedGradientError(
  model: ErrorModel,
  cap: number,
  [dS, dSError]: readonly [number, number],
  [factor, error]: readonly [number, number],
): number {
  const { accumulation: uA, tiny } = model;
  const grown = growth(4 * uA);
  const made = rawGradientError([dS, dSError], [factor, error * (1 + uA)]);
  const flushed = 8 * (1 + factor + error) * (tiny / cap) + tiny;
  return made + (dS * factor + made) * grown + flushed * (1 + grown);
}

/** The error of dRaw: dS through the softcap, or dS where there is none (cap 0). */
export function softcapGradientError(
  model: ErrorModel,
  cap: number,
  dS: readonly [size: number, error: number],
  { slope, t, tError }: { slope: number; t: number; tError: number },
): number {
  if (cap === 0) return rawGradientError(dS, [1, 0]);
  return cappedGradientError(model, cap, dS, [slope, factorError(model, t, tError)]);
}

/** dS where it is summed as it stands, perhaps rounded to the operand format: dBias and dSink. */
export function storedGradientError(model: ErrorModel, dS: number, dSError: number): number {
  return dSError + (model.probabilities * (dS + dSError) + eta(model));
}

/** One component of dV, κ·P·dO: what multiplies |dO|, and the rest. */
export function valueTermError(
  model: ErrorModel,
  kappa: number,
  p: number,
  pError: number,
): { ofCotangent: number; constant: number } {
  const { tiny } = model;
  const [own, input] = [eta(model), etaIn(model)];
  const grown = growth(model.probabilities + 3 * model.accumulation + model.input);
  return {
    ofCotangent: kappa * (pError + (p + pError) * grown + (tiny + own) * (1 + grown)),
    constant: (kappa * input * (p + pError + tiny + own) + tiny) * (1 + grown),
  };
}

/**
 * One component of dQ or dK: what multiplies |K| or |Q|, and the rest. dS may be scaled first and
 * then rounded to the operand format, Q or K scaled and rounded twice, or the sum scaled last.
 */
export function keyTermError(
  model: ErrorModel,
  scale: number,
  raw: number,
  rawError: number,
): { ofOperand: number; constant: number } {
  const { probabilities, accumulation, scaledOperand, input, tiny } = model;
  const own = eta(model);
  const rounded = growth(probabilities + 6 * accumulation + 2 * scaledOperand + input);
  const error = rawError + (raw + rawError) * rounded;
  const flush = (1 + scale) * (1 + rounded);
  const constant = 2 * (raw + rawError) * own + 4 * (tiny + own) * own + 2 * tiny;
  return {
    ofOperand: scale * error + flush * (own + 2 * tiny),
    constant: flush * constant,
  };
}

/** Error of one product of dX and a weight or feature, which enter it as operands. Lemma Project. */
export function projectionTermError(
  model: ErrorModel,
  [size, error, a]: readonly [number, number, number],
): number {
  const [own, input] = [eta(model), etaIn(model)];
  const rounded = growth(model.operand + model.input + model.accumulation);
  const flush = own * a + input * (size + error) + own * input + model.tiny;
  return error * a + (size * a + error * a) * rounded + flush * (1 + rounded);
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
