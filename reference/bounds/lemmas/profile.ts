/**
 * Precision profiles: the unit roundoffs a candidate declares, step by step. spec/bounds.md §1
 *
 * A profile says what an honest implementation may round, and to what. Nothing here is tuned to a
 * candidate: each number is a property of a format or a clause of a standard. A profile is one of
 * five bases, and may grant options beside (profile-options.ts): `f16+sigmoid-merge`.
 * @module
 */
import { maxFinite, minNormal, minSubnormal, unitRoundoff } from '../../numbers/format.ts';

export const PROFILE_NAMES = ['f64', 'f32', 'tf32', 'f16', 'bf16'] as const;
/** The bases. */
export type ProfileName = (typeof PROFILE_NAMES)[number];

/** Unit roundoffs and ranges of the steps of attention at one precision. */
export interface Profile {
  /** The base, and the options granted, in the order of their table: `f16+sigmoid-merge`. */
  readonly name: string;
  /** Its name is also that of the operands' format. */
  readonly base: ProfileName;
  /** Operands of a matrix product: inputs, scaled Q or K, recomputed K and V. */
  readonly operand: number;
  /** Of those, what a scale was multiplied into; 0 where none is. */
  readonly scaledOperand: number;
  /** Dot products of scores and of dO·V. */
  readonly scores: number;
  /** Exponential and logarithm. */
  readonly exponential: number;
  /** P before P·V and Pᵀ·dO; dS before dS·K and dSᵀ·Q. */
  readonly probabilities: number;
  /** Sums, rescalings, merges, LSE. */
  readonly accumulation: number;
  /** Final rounding of everything but the LSE. */
  readonly output: number;
  /** Absolute error of tanh. */
  readonly tanh: number;
  /** Results of accumulation below this may be flushed to zero: its smallest normal number. */
  readonly tiny: number;
  /** Half the smallest subnormal of the operand format: its absolute rounding near zero. */
  readonly operandTiny: number;
  /** The same of the output format, and its largest finite number. */
  readonly outputTiny: number;
  readonly outputMax: number;
  /** The format in which ULPs are counted. */
  readonly outputFormat: 'f64' | 'f32' | 'f16' | 'bf16';
  /** Merges of (O, LSE) may subtract, O − σ(LSE_b − LSE)(O − O_b). Lemma Sigmoid */
  readonly subtractsInMerges: boolean;
  /** Rounding of the partial outputs of blocks or ranks before they are merged, once, and that near zero. */
  readonly partial: number;
  readonly partialTiny: number;
  /** P, dS and outputs are rounded once, to nearest: a number of the format stays. Lemma Anchored */
  readonly anchored: boolean;
  /** Rounding of a weight before it is summed to the denominator, and that near zero. Lemma Rounded sum */
  readonly summed: number;
  readonly summedTiny: number;
  /** How far above a running maximum a score may lie that is exponentiated with it. Lemma Lazy */
  readonly headroom: number;
}

/** WGSL: tanh of f32 may be off by 1e-5 in absolute terms (WGSL §15.7.4, accuracy of tanh). */
const TANH_WGSL = 1e-5;

function profile(
  base: ProfileName,
  accumulationFormat: 'f64' | 'f32',
  outputFormat: Profile['outputFormat'],
): Profile {
  const operand = unitRoundoff(base);
  // Tensor cores add with truncation: twice the roundoff of f32 (Fasi, Higham, Mikaitis, Pranesh,
  // PeerJ CS 2021), so profiles with narrow operands accumulate at 2·2⁻²⁴.
  const accumulation = unitRoundoff(accumulationFormat) * (base === accumulationFormat ? 1 : 2);
  return {
    name: base,
    base,
    operand,
    scaledOperand: operand,
    scores: accumulation,
    exponential: unitRoundoff(accumulationFormat),
    probabilities: operand,
    accumulation,
    output: unitRoundoff(outputFormat),
    tanh: accumulationFormat === 'f64' ? 8 * unitRoundoff('f64') : TANH_WGSL,
    tiny: minNormal(accumulationFormat),
    operandTiny: minSubnormal(base) / 2,
    outputTiny: minSubnormal(outputFormat) / 2,
    outputMax: maxFinite(outputFormat),
    outputFormat,
    subtractsInMerges: false,
    headroom: 0,
    partial: 0,
    partialTiny: 0,
    anchored: false,
    summed: 0,
    summedTiny: 0,
  };
}

/** The bases, without options. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  f64: profile('f64', 'f64', 'f64'),
  f32: profile('f32', 'f32', 'f32'),
  tf32: profile('tf32', 'f32', 'f32'),
  f16: profile('f16', 'f32', 'f16'),
  bf16: profile('bf16', 'f32', 'bf16'),
};
