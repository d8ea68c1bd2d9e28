/**
 * The judge: an expectation and somebody's outputs in, a verdict out. A value, never an exception.
 *
 * `impossible`: an element lies outside the worst-case bound, or is NaN or infinite where the truth
 * is finite (or the reverse), bound or no bound, unless Lemma Range excuses it. `improbable`: outside
 * the probabilistic bound on a case with random values. `broken`: an output is missing or misshapen.
 * Everything else passes. spec/bounds.md §5
 * @module
 */

import type { Profile } from '../bounds/lemmas/profile.ts';
import type { ProfileLike } from '../bounds/lemmas/profile-options.ts';
import { MARGIN } from '../bounds/range/range-limits.ts';
import type { AttentionCase, OutputName } from '../case/case.ts';
import { outputShape } from '../case/case-shapes.ts';
import { type GivenOutputs, STORED } from '../case/given.ts';
import { isMerge } from '../case/merge-case.ts';
import { EVERYTHING } from '../case/sampling.ts';
import { roundTo, ulp, unitRoundoff } from '../numbers/format.ts';
import { lazily } from '../numbers/lazily.ts';
import { nth } from '../numbers/nth.ts';
import { elementCount, flatNumbers, indexOf, type Tensor } from '../numbers/tensor.ts';
import { type Answers, givenAnswers } from './answers.ts';
import {
  type Bounds,
  type Expectation,
  expectation,
  expectationByKernels,
  isByPairs,
  LARGE,
  productsOf,
} from './expectation.ts';
import { type Excused, type Open, openNote } from './open-note.ts';
import { judgedOutputs, sampledExpectation } from './sampled-expectation.ts';

export const VERDICT_NAMES = ['pass', 'improbable', 'impossible', 'broken', 'skip'] as const;
export type VerdictName = (typeof VERDICT_NAMES)[number];

/** Whether a verdict speaks against the candidate. A skip says nothing. */
export const isFailure = (verdict: VerdictName): boolean =>
  verdict !== 'pass' && verdict !== 'skip';

/** The worst element of one output. */
export interface OutputReport {
  /**
   * Distance of the element named below to its exact value, in ULPs of the profile's output format at
   * that value; Infinity for NaN. Null beside what rounds to zero there: a zero has no ULP.
   */
  readonly max_ulp: number | null;
  /** Largest error as a fraction of the bound that decides; above 1 is a failure. */
  readonly max_bound_fraction: number;
  /** The element with that fraction, and what was expected and got there. */
  readonly worst_index: number[];
  readonly expected: number;
  readonly got: number;
}

/** A rank whose blocks of these outputs have wrong elements. */
export interface RankShare {
  readonly rank: number;
  readonly outputs: readonly OutputName[];
}

export interface Verdict {
  readonly verdict: VerdictName;
  /** One sentence; for a failure it names the output and the element. */
  readonly reason: string;
  readonly outputs: Partial<Record<OutputName, OutputReport>>;
  /** What of the case was judged, where that is not all of it. */
  readonly sample?: SampleShare;
  /** Elements of which nothing finite is asked, of all that were looked at; absent where there are none. */
  readonly open?: { readonly elements: number; readonly of: number };
  /** Of a wrong answer of several ranks: which of them are wrong; absent where that is not known. */
  readonly wrong_ranks?: readonly RankShare[];
}

interface Part {
  readonly judged: number;
  readonly of: number;
}

/** What share of a case a verdict speaks of. */
export interface SampleShare {
  /** Query rows and keys, of every head. */
  readonly rows: Part;
  readonly keys: Part;
  /** Elements of the outputs that the case wants; excused ones and those without a bound are not judged. */
  readonly elements: Part;
  /** Wanted outputs of which nothing was judged. */
  readonly not_judged: readonly OutputName[];
}

/** One output, judged; a report says how many of its elements were excused, or only to be finite. */
interface Judged extends Open {
  readonly report: OutputReport | null;
  readonly verdict: 'pass' | 'improbable' | 'impossible';
}

/**
 * |got − expected| as a fraction of the bound; infinities compared as what they are. A NaN is never
 * right; an infinity only where the exact value and the bound reach the end of the output format.
 */
function fraction(expected: number, got: number, bound: number, outputMax: number): number {
  if (expected === got) return 0;
  if (Number.isNaN(got)) return Number.POSITIVE_INFINITY;
  const unbounded = bound === Number.POSITIVE_INFINITY;
  if (!Number.isFinite(got)) {
    const same = Math.sign(got) === Math.sign(expected);
    const reached = unbounded
      ? same && Math.abs(expected) >= outputMax / MARGIN
      : (same || bound >= Math.abs(expected)) && Math.abs(expected) + bound >= outputMax;
    return reached ? 0 : Number.POSITIVE_INFINITY;
  }
  if (unbounded) return 0;
  if (!Number.isFinite(expected)) return Number.POSITIVE_INFINITY;
  const error = Math.abs(got - expected);
  return bound === 0 ? Number.POSITIVE_INFINITY : error / bound;
}

export function ulps(
  format: 'f64' | 'f32' | 'f16' | 'bf16',
  expected: number,
  got: number,
): number | null {
  if (expected === got) return 0;
  const error = Math.abs(got - expected);
  if (roundTo(format, expected) === 0 && Number.isFinite(error)) return null;
  return Number.isFinite(error) ? error / ulp(format, expected) : Number.POSITIVE_INFINITY;
}

/** The bounds of one output, flat; zero where the case is exact. */
export interface OutputBounds {
  /** Computed when it is asked for: what keeps the probabilistic bounds keeps these. */
  readonly worstCase: () => Float64Array;
  readonly probabilistic: Float64Array | null;
  /** Elements of which nothing is asked. */
  readonly excused: ArrayLike<boolean> | null;
}

export function outputBounds(
  expected: Expectation,
  name: OutputName,
  stored: number,
  length: number,
): OutputBounds {
  const excused = expected.excused(name)?.data ?? null;
  if (expected.attentionCase.judging === 'exact') {
    const zero = new Float64Array(length);
    return { worstCase: () => zero, probabilistic: null, excused };
  }
  const flat = (bounds: Bounds): Float64Array => {
    const tensor = bounds.of(name, stored);
    if (tensor === undefined) throw new Error(`no bound was derived for "${name}"`);
    return flatNumbers(tensor);
  };
  const { worstCase, probabilistic } = expected;
  return {
    worstCase: lazily(() => flat(worstCase)),
    probabilistic: probabilistic === null ? null : flat(probabilistic),
    excused,
  };
}

/** How far an element is off, as a fraction of the bound that decides. */
export const fractionOf = (
  { worstCase, probabilistic }: OutputBounds,
  n: number,
  [expected, got]: readonly [number, number],
  outputMax: number,
): number => fraction(expected, got, nth(probabilistic ?? worstCase(), n), outputMax);

/** What was excused of an output; null where nothing was. */
function excusedOf(values: Tensor, excused: OutputBounds['excused']): Excused | null {
  if (excused === null) return null;
  let [count, first, from, to] = [0, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  flatNumbers(values).forEach((expected, n) => {
    if (excused[n] !== true) return;
    if (count++ === 0) first = n;
    if (Number.isNaN(expected)) return;
    [from, to] = [Math.min(from, expected), Math.max(to, expected)];
  });
  return count === 0 ? null : { count, index: indexOf(values.shape, first), from, to };
}

/** The element that is furthest off as a fraction of these bounds, and those of which nothing finite is asked. */
function furthest(
  [values, gots]: readonly [Float64Array, Float64Array],
  bounds: Float64Array,
  excused: OutputBounds['excused'],
  outputMax: number,
) {
  let [at, largest, unbounded, firstUnbounded] = [-1, -1, 0, -1];
  for (let n = 0; n < values.length; n++) {
    if (excused?.[n] === true) continue;
    const bound = nth(bounds, n);
    if (bound >= outputMax && unbounded++ === 0) firstUnbounded = n;
    const size = fraction(nth(values, n), nth(gots, n), bound, outputMax);
    if (size > largest) [at, largest] = [n, size];
  }
  return { at, largest, unbounded, firstUnbounded };
}

function judgeOutput(
  values: Tensor,
  given: Tensor,
  bounds: OutputBounds,
  { outputMax, outputFormat }: Profile,
): Judged {
  const flat = [flatNumbers(values), flatNumbers(given)] as const;
  const { probabilistic, worstCase } = bounds;
  const decided = furthest(flat, probabilistic ?? worstCase(), bounds.excused, outputMax);
  const { at, largest, unbounded, firstUnbounded } = decided;
  let verdict: Judged['verdict'] = 'pass';
  if (largest > 1) {
    const worst =
      probabilistic === null ? decided : furthest(flat, worstCase(), bounds.excused, outputMax);
    verdict = worst.largest > 1 ? 'impossible' : 'improbable';
  }
  const excused = excusedOf(values, bounds.excused);
  const without = unbounded === 0 ? null : indexOf(values.shape, firstUnbounded);
  const found = { verdict, unbounded, without, excused };
  if (at < 0) return { ...found, report: null };
  const [expected, got] = [nth(flat[0], at), nth(flat[1], at)];
  const report = {
    max_ulp: ulps(outputFormat, expected, got),
    max_bound_fraction: largest,
    worst_index: indexOf(values.shape, at),
    expected,
    got,
  };
  return { ...found, report };
}

/** Missing or misshapen outputs, as a sentence; null when all are there. */
function incomplete(values: Expectation['values'], outputs: GivenOutputs): string | null {
  for (const [name, expected] of Object.entries(values)) {
    const given = outputs[name as OutputName];
    if (given === undefined) return `"${name}" expected a tensor, got none`;
    const [want, got] = [expected.shape.join(', '), given.tensor.shape.join(', ')];
    if (want !== got) return `"${name}" expected shape [${want}], got [${got}]`;
    if (STORED[given.dtype] === undefined) {
      return `"${name}" expected F64, F32, F16 or BF16, got ${given.dtype}`;
    }
  }
  return null;
}

const shareOf = ({ report }: Judged): number =>
  report === null ? Number.POSITIVE_INFINITY : report.max_bound_fraction;

/** The first of those that are furthest outside their bound. */
function worstOf(failing: readonly [OutputName, Judged][]): [OutputName, Judged] | undefined {
  return failing.reduce<[OutputName, Judged] | undefined>(
    (worst, one) => (worst !== undefined && shareOf(worst[1]) >= shareOf(one[1]) ? worst : one),
    undefined,
  );
}

/** −0 stays −0. */
export const digits = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const rounded = (value: number): string => String(Number(value.toPrecision(4)));

/** `123500 ULP, 12350 times the bound off`, of the element that a report names. */
export function distanceOff({ max_ulp, max_bound_fraction }: OutputReport): string {
  const finite = max_ulp !== null && Number.isFinite(max_ulp);
  const inUlps = finite ? `${rounded(max_ulp)} ULP` : '';
  if (!Number.isFinite(max_bound_fraction)) {
    return finite ? `${inUlps} off, no bound allows it` : 'no bound allows it';
  }
  return `${finite ? `${inUlps}, ` : ''}${rounded(max_bound_fraction)} times the bound off`;
}

const NO_BOUND = 'no element has a finite bound at this profile';

/** The verdict on a list of outputs and the sentence about it. */
function summarise(
  judged: readonly [OutputName, Judged][],
  { elements, open }: { elements: number; open: number },
  { profile, attentionCase }: Pick<Expectation, 'profile' | 'attentionCase'>,
): Omit<Verdict, 'outputs'> {
  const failing = judged.filter(([, { verdict }]) => verdict !== 'pass');
  const impossible = failing.filter(([, { verdict }]) => verdict === 'impossible');
  const worst = worstOf(impossible.length > 0 ? impossible : failing);
  const note = openNote(judged, profile);
  if (worst === undefined) {
    if (elements === 0 || open < elements) {
      return { verdict: 'pass', reason: `within the bounds${note}` };
    }
    // A pass would say that something was looked at.
    const excused = judged.some(([, one]) => one.excused !== null);
    return { verdict: 'skip', reason: excused ? `nothing to judge${note}` : NO_BOUND };
  }
  const [name, { verdict, report }] = worst;
  const at = report === null ? '' : `[${report.worst_index.join(', ')}]`;
  const size = report === null ? 'no bound allows it' : distanceOff(report);
  const values =
    report === null ? '' : `: expected ${digits(report.expected)}, got ${digits(report.got)}`;
  // Where every rounding is exact no profile matters; elsewhere another might allow it.
  const exact = attentionCase.judging === 'exact';
  const spoken = exact ? ', no correct implementation gives it' : ` at profile ${profile.name}`;
  return { verdict, reason: `${name}${at}${values}, ${size}${spoken}${note}` };
}

/** The elements of a sample that a report names, by their places in the whole output. */
function placed({ place }: Expectation, name: OutputName, judged: Judged): Judged {
  if (place === undefined) return judged;
  const { report, excused } = judged;
  return {
    ...judged,
    report: report && { ...report, worst_index: place(name, report.worst_index) },
    excused: excused && { ...excused, index: place(name, excused.index) },
  };
}

/** A verdict, and of how many elements it says nothing: excused, or without a finite bound. */
export interface CountedVerdict {
  readonly verdict: Verdict;
  readonly open: number;
}

/** Judge outputs against an expectation made before. */
export const judgeAgainst = (expected: Expectation, outputs: GivenOutputs): Verdict =>
  judgeCounted(expected, outputs).verdict;

export function judgeCounted(expected: Expectation, outputs: GivenOutputs): CountedVerdict {
  const gap = incomplete(expected.values, outputs);
  if (gap !== null) {
    return { verdict: { verdict: 'broken', reason: gap, outputs: {} }, open: 0 };
  }
  const judged: [OutputName, Judged][] = [];
  for (const [key, values] of Object.entries(expected.values)) {
    const name = key as OutputName;
    const given = outputs[name];
    const stored = STORED[given?.dtype ?? ''];
    if (given === undefined || stored === undefined || elementCount(values.shape) === 0) continue;
    const bounds = outputBounds(expected, name, unitRoundoff(stored), elementCount(values.shape));
    const one = judgeOutput(values, given.tensor, bounds, expected.profile);
    judged.push([name, placed(expected, name, one)]);
  }
  const reports: Verdict['outputs'] = {};
  for (const [name, { report }] of judged) {
    if (report !== null) reports[name] = report;
  }
  const open = judged.reduce((sum, [, one]) => sum + one.unbounded + (one.excused?.count ?? 0), 0);
  const sizes = judged.map(([name]) => elementCount(expected.values[name]?.shape ?? []));
  const elements = sizes.reduce((sum, size) => sum + size, 0);
  const summary = summarise(judged, { elements, open }, expected);
  const unasked = open === 0 ? {} : { open: { elements: open, of: elements } };
  return { verdict: { ...summary, outputs: reports, ...unasked }, open };
}

/** A large case whose every wanted output the kernels' bounds cover. */
function byKernels(c: AttentionCase): boolean {
  const { wants } = c.parameters;
  if (isMerge(c.parameters)) return false;
  return productsOf(c) >= LARGE && judgedOutputs(c, EVERYTHING).length === wants.length;
}

/**
 * What is expected of a whole case. Of those too large to be held, and of large ones that may overflow, the bounds
 * are those of spec/bounds.md §10, which are no smaller.
 */
export function expectationFor(attentionCase: AttentionCase, profile: ProfileLike): Expectation {
  if (!byKernels(attentionCase)) return expectation(attentionCase, profile);
  const sharp = isByPairs(attentionCase) ? expectationByKernels(attentionCase, profile) : null;
  return sharp ?? sampledExpectation(attentionCase, profile, EVERYTHING, 1);
}

/**
 * Judge one candidate's outputs on one case at the precision it declared: tensors, plain numbers, either
 * with the format that they were stored in. The profile is the case's dtype where none is named.
 */
export const judge = (
  attentionCase: AttentionCase,
  outputs: Answers,
  profile: ProfileLike = attentionCase.parameters.dtype,
): Verdict =>
  judgeAgainst(
    expectationFor(attentionCase, profile),
    givenAnswers(outputs, (name) => outputShape(attentionCase, name)),
  );
