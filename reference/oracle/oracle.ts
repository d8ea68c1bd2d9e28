/**
 * The oracle: the correctly rounded answer, by Ziv's strategy, row by row.
 *
 * Each element is enclosed in a ball that provably holds the exact real number. When both ends of
 * the ball round to the same number of the target format, that number is the answer. Only what
 * stays open is computed again, at the next level of the ladder: float64 kernels, double-double, then
 * decimals of 60 to 960 digits (ladder.ts). Before the decimals, exact.ts settles what is a
 * rational number, ties included. What the last level leaves open, or what would take more work than
 * is granted (work.ts), is listed as undecided, never guessed.
 *
 * The radii are derived in spec/bounds.md §7. They rest on IEEE 754 for float64 and double-double,
 * on the proofs of spec/theory/Kernels.v for float64's exp, log and tanh, and on decimal.js being
 * within one unit of its last digit (two for exp and ln).
 * @module
 */
import type { AttentionCase, OutputName, Outputs } from '../case/case.ts';
import { outputShape, reshapedOutputs } from '../case/case-shapes.ts';
import { isMerge, partsAsKeys } from '../case/merge-case.ts';
import {
  isSampled,
  type Sample,
  type SampleSize,
  sampledOutput,
  sampleOf,
} from '../case/sampling.ts';
import { ELEMENT_LIMIT } from '../case/validate.ts';
import { shareInputs } from '../kernels/threads/shared.ts';
import { assertNotEmpty, type Enclosure } from '../numbers/enclosure.ts';
import { FORMATS, type FormatName } from '../numbers/format.ts';
import { elementCount, indexOf, tensorOf } from '../numbers/tensor.ts';
import { type Budget, nameOf, newBudget } from './budget.ts';
import { KERNEL_LEVEL, kernelLevel } from './kernel-level.ts';
import { LADDER } from './ladder.ts';
import { type OpenElements, openCount } from './open-elements.ts';

/**
 * Why an element is undecided: the last level's digits do not tell, or it would have taken more work
 * than was granted, or more time.
 */
export type Why = 'digits' | 'work' | 'time';

/** One element that no level could round; its index is that in the whole output. */
export interface Undecided {
  readonly output: OutputName;
  readonly index: number[];
  readonly why: Why;
}

export interface OracleAnswer {
  /**
   * Correctly rounded to the format; NaN where undecided. LSE −Infinity for empty rows. Of a sample,
   * out, lse and d_q have the chosen rows only, d_k, d_v and d_y the chosen keys.
   */
  readonly values: Outputs;
  /** Float64 enclosures of the exact value; at most two ULPs wide where the format is f64. */
  readonly lo: Outputs;
  readonly hi: Outputs;
  readonly undecided: readonly Undecided[];
  /** Elements decided at each level, by its name. */
  readonly decidedBy: Readonly<Record<string, number>>;
  /** The rows and keys answered for; null = all. */
  readonly sample: Sample;
  /** Wanted outputs that are sums over the whole case and so in no sample. */
  readonly notSampled: readonly OutputName[];
}

export interface OracleOptions {
  /** Number format of the answer; default f64. */
  readonly format?: FormatName;
  /** Query rows and keys to answer for: how many, drawn from the seed, or which. Absent = all. */
  readonly rows?: SampleSize;
  readonly keys?: SampleSize;
  readonly seed?: number;
  /** Threads of the kernels; default 1. No bit depends on it. */
  readonly threads?: number;
  /** So many times the work that exact sums and decimals are granted (work.ts); default 1. */
  readonly work?: number;
  /** No more exact sums and decimals are begun after so long; then bits depend on the clock. */
  readonly maxSeconds?: number;
}

/** Enclosures go into the answer; returns the elements still open. Null: left for a later level. */
function climb(
  level: string,
  at: (output: OutputName, flat: number) => Enclosure | null,
  answer: OracleAnswer,
  open: OpenElements,
): OpenElements {
  const decided = answer.decidedBy as Record<string, number>;
  const still: OpenElements = new Map();
  for (const [output, flats] of open) {
    const [values, low, high] = [answer.values, answer.lo, answer.hi].map((x) => x[output]?.data);
    if (values === undefined || low === undefined || high === undefined) continue;
    const rest: number[] = [];
    for (const flat of flats) {
      const enclosure = at(output, flat);
      if (enclosure !== null) {
        const lo = Math.max(low[flat] ?? enclosure.lo, enclosure.lo);
        const hi = Math.min(high[flat] ?? enclosure.hi, enclosure.hi);
        assertNotEmpty({ lo, hi }, `${output} ${flat} in ${level}`);
        [low[flat], high[flat]] = [lo, hi];
      }
      if (enclosure === null || enclosure.rounded === null) rest.push(flat);
      else values[flat] = enclosure.rounded;
    }
    const count = flats.length - rest.length;
    if (count > 0) decided[level] = (decided[level] ?? 0) + count;
    if (rest.length > 0) still.set(output, rest);
  }
  return still;
}

/** The open elements of a sample at their places in the whole outputs. */
function inWhole(attentionCase: AttentionCase, sample: Sample, open: OpenElements): OpenElements {
  return new Map(
    [...open].map(([output, flats]) => {
      const { wholeFlat } = sampledOutput(attentionCase, sample, output);
      return [output, flats.map(wholeFlat)];
    }),
  );
}

function emptyAnswer(attentionCase: AttentionCase, sample: Sample): OracleAnswer {
  const { wants } = attentionCase.parameters;
  const sampled = wants.filter((name) => isSampled(sample, name));
  const all = (value: number): Outputs =>
    Object.fromEntries(
      sampled.map((name) => {
        const { shape } = sampledOutput(attentionCase, sample, name);
        const count = elementCount(shape);
        if (count > ELEMENT_LIMIT) {
          const limit = `at most ${ELEMENT_LIMIT} elements to answer for, got ${count}`;
          throw new RangeError(`"${name}" expected ${limit}: choose rows and keys`);
        }
        return [name, tensorOf<number>(new Float64Array(count).fill(value), shape)];
      }),
    );
  return {
    values: all(Number.NaN),
    lo: all(Number.NEGATIVE_INFINITY),
    hi: all(Number.POSITIVE_INFINITY),
    undecided: [],
    decidedBy: {},
    sample,
    notSampled: wants.filter((name) => !isSampled(sample, name)),
  };
}

function allOpen({ values }: OracleAnswer): OpenElements {
  const open: OpenElements = new Map();
  for (const [name, { data }] of Object.entries(values)) {
    if (data.length > 0) {
      open.set(
        name as OutputName,
        Array.from({ length: data.length }, (_, flat) => flat),
      );
    }
  }
  return open;
}

function whyUndecided(budget: Budget, output: OutputName, flat: number): Why {
  const name = nameOf(output, flat);
  return budget.late.has(name) ? 'time' : budget.refused.has(name) ? 'work' : 'digits';
}

/** A merge is answered as attention over its parts. */
function mergeOracle(merge: AttentionCase, options: OracleOptions): OracleAnswer {
  const answer = oracle(partsAsKeys(merge), options);
  const own = (outputs: Outputs): Outputs => reshapedOutputs(merge, outputs);
  return {
    ...answer,
    ...{ values: own(answer.values), lo: own(answer.lo), hi: own(answer.hi) },
    undecided: answer.undecided.map(({ output, index, why }) => {
      const { batch, heads, seq_q } = merge.parameters;
      const [row = 0, , , ...component] = index;
      return { output, index: [...indexOf([batch, heads, seq_q], row), ...component], why };
    }),
  };
}

/**
 * The correctly rounded answer of the case in `format`, with enclosures; of the rows and keys chosen
 * where some are. Throws RangeError for a format that is none and for positions out of range.
 */
export function oracle(given: AttentionCase, options: OracleOptions = {}): OracleAnswer {
  const { format = 'f64', threads = 1, work = 1, maxSeconds, ...choice } = options;
  if (!FORMATS.includes(format)) {
    throw new RangeError(`"format" expected one of ${FORMATS.join(', ')}, got ${String(format)}`);
  }
  if (!(work >= 0)) throw new RangeError(`"work" expected a factor of 0 or more, got ${work}`);
  const sample = sampleOf(given.parameters, choice);
  if (isMerge(given.parameters)) return mergeOracle(given, options);
  const answer = emptyAnswer(given, sample);
  const attentionCase = shareInputs(given, threads);
  const { wants } = attentionCase.parameters;
  const asked = wants.filter((name) => isSampled(sample, name));
  const question = { ...attentionCase, parameters: { ...attentionCase.parameters, wants: asked } };
  const kernels = kernelLevel(question, sample, format, threads);
  let open = climb(KERNEL_LEVEL, kernels.enclose, answer, allOpen(answer));
  const shapes = (output: OutputName) => outputShape(attentionCase, output);
  const budget = newBudget(openCount(open), work, maxSeconds);
  const means = { threads, maxima: kernels.maxima, budget };
  for (const level of LADDER) {
    // The kernels were float64 already: this level is for the outputs they leave out.
    const now = new Map(
      [...open].filter(([name]) => level.name !== KERNEL_LEVEL || !kernels.covers(name)),
    );
    if (openCount(now) === 0) continue;
    const whole = inWhole(attentionCase, sample, now);
    const at = level.enclose(attentionCase, whole, shapes, format, means);
    const places = new Map(
      [...now.keys()].map((name) => [name, sampledOutput(attentionCase, sample, name).wholeFlat]),
    );
    const rest = climb(
      level.name,
      (output, flat) => at(output, places.get(output)?.(flat) ?? flat),
      answer,
      now,
    );
    open = new Map(
      [...open].flatMap(([name, flats]) => {
        const left = now.has(name) ? rest.get(name) : flats;
        return left === undefined ? [] : [[name, left]];
      }),
    );
  }
  const undecided = [...inWhole(attentionCase, sample, open)].flatMap(([output, flats]) =>
    flats.map((flat) => ({
      output,
      index: indexOf(shapes(output), flat),
      why: whyUndecided(budget, output, flat),
    })),
  );
  return { ...answer, undecided };
}
