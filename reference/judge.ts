/**
 * The judge: an expectation and somebody's outputs in, a verdict out. A value, never an exception.
 *
 * `impossible`: an element lies outside the worst-case bound, or is NaN or infinite where the truth
 * is finite (or the reverse). `improbable`: outside the probabilistic bound on a case with random
 * values. `broken`: an output is missing or misshapen. Everything else passes. spec/bounds.md §5
 * @module
 */
import type { AttentionCase, OutputName } from './case.ts';
import { type Bounds, type Expectation, expectation } from './expectation.ts';
import { roundTo, ulp, unitRoundoff } from './format.ts';
import { PROFILES, type ProfileName } from './profile.ts';
import { judgedOutputs, sampledExpectation } from './sampled/sampled-expectation.ts';
import { EVERYTHING } from './sampling.ts';
import { elementCount, indexOf, type Tensor, toFlat } from './tensor.ts';

/** A candidate's outputs: the format each was stored in, and the numbers it denotes. */
export type GivenOutputs = Partial<
  Record<OutputName, { readonly dtype: string; readonly tensor: Tensor }>
>;

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

export interface Verdict {
  readonly verdict: VerdictName;
  /** One sentence; for a failure it names the output and the element. */
  readonly reason: string;
  readonly outputs: Partial<Record<OutputName, OutputReport>>;
  /** What of the case was judged, where that is not all of it. */
  readonly sample?: SampleShare;
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
  /** Elements of the outputs that the case wants; those without a finite bound are not judged. */
  readonly elements: Part;
  /** Wanted outputs of which nothing was judged. */
  readonly not_judged: readonly OutputName[];
}

/** Elements whose bound is infinite are not judged; a report says how many. */
interface Judged {
  readonly report: OutputReport | null;
  readonly verdict: 'pass' | 'improbable' | 'impossible';
  readonly unbounded: number;
}

/** Formats that outputs may be stored in, by their safetensors names. */
export const STORED: Readonly<Record<string, 'f64' | 'f32' | 'f16' | 'bf16'>> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
};

/** |got − expected| as a fraction of the bound; NaN and infinities compared as what they are. */
function fraction(expected: number, got: number, bound: number, outputMax: number): number {
  if (Object.is(expected, got) || expected === got) return 0;
  if (bound === Number.POSITIVE_INFINITY) return 0;
  if (!Number.isFinite(expected) || Number.isNaN(got)) return Number.POSITIVE_INFINITY;
  if (!Number.isFinite(got)) {
    const overflows = Math.sign(got) === Math.sign(expected) || bound >= Math.abs(expected);
    return overflows && Math.abs(expected) + bound >= outputMax ? 0 : Number.POSITIVE_INFINITY;
  }
  const error = Math.abs(got - expected);
  return bound === 0 ? Number.POSITIVE_INFINITY : error / bound;
}

function ulps(
  format: 'f64' | 'f32' | 'f16' | 'bf16',
  expected: number,
  got: number,
): number | null {
  if (expected === got) return 0;
  const error = Math.abs(got - expected);
  if (roundTo(format, expected) === 0 && Number.isFinite(error)) return null;
  return Number.isFinite(error) ? error / ulp(format, expected) : Number.POSITIVE_INFINITY;
}

/** The bounds of one output, flat, worst case and probabilistic; zero where the case is exact. */
interface OutputBounds {
  readonly worstCase: readonly number[];
  readonly probabilistic: readonly number[] | null;
}

function outputBounds(
  expected: Expectation,
  name: OutputName,
  stored: number,
  length: number,
): OutputBounds {
  if (expected.attentionCase.judging === 'exact') {
    return { worstCase: new Array<number>(length).fill(0), probabilistic: null };
  }
  const flat = (bounds: Bounds): number[] => {
    const tensor = bounds.of(name, stored);
    if (tensor === undefined) throw new Error(`no bound was derived for "${name}"`);
    return toFlat(tensor);
  };
  const { worstCase, probabilistic } = expected;
  return {
    worstCase: flat(worstCase),
    probabilistic: probabilistic === null ? null : flat(probabilistic),
  };
}

function judgeOutput(
  values: Tensor,
  given: Tensor,
  bounds: OutputBounds,
  profile: ProfileName,
): Judged {
  const { outputMax, outputFormat } = PROFILES[profile];
  const [all, gots] = [toFlat(values), toFlat(given)];
  let verdict: Judged['verdict'] = 'pass';
  let [worstAt, largest, unbounded] = [-1, -1, 0];
  all.forEach((expected, n) => {
    const got = gots[n] ?? Number.NaN;
    const worstBound = bounds.worstCase[n] ?? 0;
    const worst = fraction(expected, got, worstBound, outputMax);
    const likely = bounds.probabilistic?.[n];
    const share = likely === undefined ? worst : fraction(expected, got, likely, outputMax);
    if (Math.min(worstBound, likely ?? worstBound) === Number.POSITIVE_INFINITY) unbounded++;
    if (worst > 1) verdict = 'impossible';
    else if (share > 1 && verdict === 'pass') verdict = 'improbable';
    const size = Math.max(share, worst);
    if (size > largest) [worstAt, largest] = [n, size];
  });
  const [expected, got] = [all[worstAt] ?? 0, gots[worstAt] ?? 0];
  const report = {
    max_ulp: ulps(outputFormat, expected, got),
    max_bound_fraction: largest,
    worst_index: indexOf(values.shape, Math.max(0, worstAt)),
    expected,
    got,
  };
  return { verdict, unbounded, report: worstAt < 0 ? null : report };
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

/** The judged share of an output list and the sentence about it. */
function summarise(
  judged: readonly [OutputName, Judged][],
  { elements, unbounded }: { elements: number; unbounded: number },
): Omit<Verdict, 'outputs'> {
  const failing = judged.filter(([, { verdict }]) => verdict !== 'pass');
  const impossible = failing.filter(([, { verdict }]) => verdict === 'impossible');
  const worst = worstOf(impossible.length > 0 ? impossible : failing);
  const note = unbounded === 0 ? '' : `; ${unbounded} elements have no finite bound, not judged`;
  if (worst === undefined) {
    // A pass would say that something was looked at.
    return elements > 0 && unbounded === elements
      ? { verdict: 'skip', reason: 'no element has a finite bound at this profile' }
      : { verdict: 'pass', reason: `within the bounds${note}` };
  }
  const [name, { verdict, report }] = worst;
  const at = report === null ? '' : `[${report.worst_index.join(', ')}]`;
  const size = report === null ? 'no bound allows it' : distanceOff(report);
  const values =
    report === null ? '' : `: expected ${digits(report.expected)}, got ${digits(report.got)}`;
  return { verdict, reason: `${name}${at}${values}, ${size}${note}` };
}

/** The worst element of a sample by its place in the whole output. */
function placed({ place }: Expectation, name: OutputName, judged: Judged): Judged {
  const { report } = judged;
  if (place === undefined || report === null) return judged;
  return { ...judged, report: { ...report, worst_index: place(name, report.worst_index) } };
}

/** A verdict, and of how many elements it says nothing, for they have no finite bound. */
export interface CountedVerdict {
  readonly verdict: Verdict;
  readonly unbounded: number;
}

/** Judge outputs against an expectation made before. */
export const judgeAgainst = (expected: Expectation, outputs: GivenOutputs): Verdict =>
  judgeCounted(expected, outputs).verdict;

export function judgeCounted(expected: Expectation, outputs: GivenOutputs): CountedVerdict {
  const gap = incomplete(expected.values, outputs);
  if (gap !== null) {
    return { verdict: { verdict: 'broken', reason: gap, outputs: {} }, unbounded: 0 };
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
  const unbounded = judged.reduce((sum, [, one]) => sum + one.unbounded, 0);
  const sizes = judged.map(([name]) => elementCount(expected.values[name]?.shape ?? []));
  const elements = sizes.reduce((sum, size) => sum + size, 0);
  const summary = summarise(judged, { elements, unbounded });
  return { verdict: { ...summary, outputs: reports }, unbounded };
}

/** Products of Q K and P V beyond which the definition over balls takes minutes. */
export const LARGE = 2 ** 28;

/** A large case whose every wanted output the kernels' bounds cover. */
function byKernels(c: AttentionCase): boolean {
  const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v, wants } = c.parameters;
  const products = batch * heads * seq_q * seq_kv * (head_dim + head_dim_v);
  return products >= LARGE && judgedOutputs(c, EVERYTHING).length === wants.length;
}

/**
 * Judge one candidate's outputs on one case at the precision it declared. Large cases are judged by
 * the kernels' radii and the bounds of spec/bounds.md §10, which are no smaller.
 */
export function judge(
  attentionCase: AttentionCase,
  outputs: GivenOutputs,
  profile: ProfileName,
): Verdict {
  const expected = byKernels(attentionCase)
    ? sampledExpectation(attentionCase, profile, EVERYTHING, 1)
    : expectation(attentionCase, profile);
  return judgeAgainst(expected, outputs);
}
