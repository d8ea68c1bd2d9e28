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

/** How a fault's output stands to the candidate's, element by element. */
export interface Tally {
  /** Elements that the judge refuses of the candidate's, and those of them that the fault gives too. */
  readonly wrong: number;
  readonly explained: number;
  /** Elements that are right, and those of them that are not so by the fault. */
  readonly right: number;
  readonly contradicted: number;
  /** The judge refuses some element of the fault's. */
  readonly refused: boolean;
}

/** A fault's outputs, and the same in float64, where it is worth knowing how well they are determined. */
export interface Answered {
  readonly outputs: Outputs;
  readonly finer?: Outputs | null;
  /** Outputs in which the fault leaves what lay in memory: where it is wrong, any wrong number is its own. */
  readonly unwritten?: readonly OutputName[];
}

/** Errors of another implementation are of the size of this one's: twice that for both, and room. */
const ROOM = 4;

/** Whether the fault gives what the candidate gave at a place. */
function isGiven(
  output: KeptOutput,
  n: number,
  [value, fine, off, anything]: readonly [number, number, boolean, boolean],
): boolean {
  if (anything && off) return isOff(output, n, value);
  const own = Math.abs(value - fine);
  // Of right elements both lie within the bound, so within two of one another.
  const allowed = (off ? 1 : 2) * allowedAt(output, n) + (Number.isFinite(own) ? ROOM * own : 0);
  return near(value, nth(output.got, n), allowed);
}

function tallyOf(
  output: KeptOutput,
  [tensor, finer]: readonly [Tensor, Tensor | undefined],
  anything: boolean,
): Tally {
  const values = toFlat(tensor);
  const fine = finer === undefined ? values : toFlat(finer);
  let [wrong, explained, right, contradicted, refused] = [0, 0, 0, 0, false];
  for (let n = 0; n < output.got.length; n++) {
    // Nothing is asked of it, or hardly anything, so nothing is known of it.
    if (!(nth(output.decides, n) < Number.POSITIVE_INFINITY)) continue;
    const value = values[n] ?? Number.NaN;
    const off = isOff(output, n, nth(output.got, n));
    const given = isGiven(output, n, [value, fine[n] ?? Number.NaN, off, anything]);
    refused ||= isOff(output, n, value);
    if (off) [wrong, explained] = [wrong + 1, explained + Number(given)];
    else [right, contradicted] = [right + 1, contradicted + Number(!given)];
  }
  return { wrong, explained, right, contradicted, refused };
}

/** An output that a fault does not give. */
const nothing = (output: KeptOutput): Tally => {
  const wrong = output.got.filter((value, n) => isOff(output, n, value)).length;
  const right = output.got.length - wrong;
  return { wrong, right, explained: 0, contradicted: right, refused: true };
};

/** Outputs of the candidate held against those of a fault; null = it gives none. */
export function talliesOf(
  answer: KeptAnswer,
  answered: Answered | null,
): ReadonlyMap<OutputName, Tally> {
  return new Map(
    answer.outputs.map((output): [OutputName, Tally] => {
      const { name } = output;
      const tensor = answered?.outputs[name];
      if (tensor === undefined) return [name, nothing(output)];
      const anything = answered?.unwritten?.includes(name) === true;
      return [name, tallyOf(output, [tensor, answered?.finer?.[name]], anything)];
    }),
  );
}

/** Every element is the candidate's, as far as one can tell. */
export const agrees = ({ wrong, explained, contradicted }: Tally): boolean =>
  explained === wrong && contradicted === 0;
