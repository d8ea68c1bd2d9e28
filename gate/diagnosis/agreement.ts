/**
 * Agreement: is what a faulty implementation gives what the candidate gave, as far as rounding lets one tell?
 *
 * |fault − got| is held to the bound of the candidate's profile. Of a wrong answer of another size than the
 * right one that bound is scaled to its size: rounding errors are relative.
 * @module
 */
import type { OutputName, Outputs } from '../../reference/case/case.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { type Tensor, toFlat } from '../../reference/numbers/tensor.ts';
import type { KeptAnswer, KeptOutput } from './kept-answers.ts';

/** Whether `a` lies within `allowed` of `b`; NaN and infinities are what they are. */
export function near(a: number, b: number, allowed: number): boolean {
  if (Object.is(a, b) || a === b) return true;
  return Number.isFinite(a) && Number.isFinite(b) && Math.abs(a - b) <= allowed;
}

const spreads = new WeakMap<KeptOutput, number>();

/** Σ bound / Σ |expected| of an output: what rounding may do to its size. */
export function spreadOf(output: KeptOutput): number {
  const known = spreads.get(output);
  if (known !== undefined) return known;
  let [bounds, sizes] = [0, 0];
  output.allows.forEach((bound, n) => {
    const size = Math.abs(nth(output.expected, n));
    if (!Number.isFinite(bound) || !Number.isFinite(size)) return;
    bounds += bound;
    sizes += size;
  });
  const spread = sizes > 0 ? Math.min(bounds / sizes, MOST) : SMALL;
  spreads.set(output, spread);
  return spread;
}

/** More than a hundredth of its size is no rounding error. */
const MOST = 2 ** -7;
/** Where all is expected to be zero: what float32 does in sums of a hundred terms. */
const SMALL = 2 ** -17;

const means = new WeakMap<KeptOutput, number>();

/** Mean size of what the candidate gave, of its finite elements. */
function meanOf(output: KeptOutput): number {
  const known = means.get(output);
  if (known !== undefined) return known;
  const sizes = output.got.filter((x) => Number.isFinite(x)).map(Math.abs);
  const mean = sizes.length === 0 ? 0 : sizes.reduce((a, b) => a + b, 0) / sizes.length;
  means.set(output, mean);
  return mean;
}

/**
 * How far a wrong answer may be from another that is wrong in the same way. Elements are sums, and
 * where they cancel their errors are of the size of the summands, which others in the output show.
 */
export const allowedAt = (output: KeptOutput, n: number): number => {
  const size = Math.abs(nth(output.got, n)) + meanOf(output);
  return Math.max(nth(output.allows, n), spreadOf(output) * size);
};

/** Whether the judge refuses `value` there. */
export const isOff = ({ expected, decides }: KeptOutput, n: number, value: number): boolean => {
  const bound = nth(decides, n);
  if (Number.isNaN(bound)) return false;
  if (bound === Number.POSITIVE_INFINITY && Number.isFinite(value)) return false;
  return !near(value, nth(expected, n), Number.isFinite(value) ? bound : 0);
};

export interface Comparison {
  /** Every element of every output is the candidate's, as far as one can tell. */
  readonly agrees: boolean;
  /** The judge refuses some element. */
  readonly refused: boolean;
}

/** A fault's outputs, and the same in float64, where it is worth knowing how well they are determined. */
export interface Answered {
  readonly outputs: Outputs;
  readonly finer?: Outputs | null;
}

/** Errors of another implementation are of the size of this one's: twice that for both, and room. */
const ROOM = 4;

function compareOutput(
  output: KeptOutput,
  [tensor, finer]: readonly [Tensor, Tensor | undefined],
  times: number,
): Comparison {
  const values = toFlat(tensor);
  const fine = finer === undefined ? values : toFlat(finer);
  let refused = false;
  for (let n = 0; n < output.got.length; n++) {
    const value = values[n] ?? Number.NaN;
    // Nothing is asked of it, or hardly anything, so nothing is known of it.
    if (!(nth(output.decides, n) < Number.POSITIVE_INFINITY)) continue;
    const own = Math.abs(value - (fine[n] ?? Number.NaN));
    const allowed = times * allowedAt(output, n) + (Number.isFinite(own) ? ROOM * own : 0);
    if (!near(value, nth(output.got, n), allowed)) {
      return { agrees: false, refused };
    }
    refused ||= isOff(output, n, value);
  }
  return { agrees: true, refused };
}

/** Outputs of the candidate held against those of a fault, `times` the bound apart at most. */
export function compare(
  answer: KeptAnswer,
  { outputs, finer }: Answered,
  times: 1 | 2,
): Comparison {
  let refused = false;
  for (const output of answer.outputs) {
    const tensor = outputs[output.name];
    if (tensor === undefined) return { agrees: false, refused };
    const one = compareOutput(output, [tensor, finer?.[output.name]], times);
    refused ||= one.refused;
    if (!one.agrees) return { agrees: false, refused };
  }
  return { agrees: true, refused };
}

/** The wrong outputs of an answer that a fault gives as the candidate does. */
export function agreeingWrong(answer: KeptAnswer, outputs: Outputs): OutputName[] {
  return answer.outputs.flatMap((output) => {
    const tensor = outputs[output.name];
    if (tensor === undefined) return [];
    const { agrees, refused } = compareOutput(output, [tensor, undefined], 1);
    return agrees && refused ? [output.name] : [];
  });
}
