/**
 * The oracle: the correctly rounded answer, by Ziv's strategy, row by row.
 *
 * Each element is enclosed in a ball that provably holds the exact real number. When both ends of
 * the ball round to the same number of the target format, that number is the answer. Only what
 * stays open is computed again, at the next level of the ladder: float64, double-double, then
 * decimals of 60 to 960 digits (ladder.ts). Before the decimals, exact.ts settles what is a
 * rational number, ties included. What the last level leaves open is listed as undecided, never
 * guessed.
 *
 * The radii are derived in spec/bounds.md §7. They rest on IEEE 754 for float64 and double-double,
 * on the proofs of spec/theory/Kernels.v for float64's exp, log and tanh, and on decimal.js being
 * within one unit of its last digit (two for exp and ln).
 * @module
 */
import type { AttentionCase, OutputName, Outputs } from './case.ts';
import { outputShape } from './case-shapes.ts';
import type { FormatName } from './format.ts';
import { FORMATS } from './format.ts';
import { LADDER } from './ladder.ts';
import type { Level } from './levels.ts';
import { type OpenElements, openCount } from './open-elements.ts';
import { elementCount, indexOf, tensorOf } from './tensor.ts';

/** One element that no level could round. */
export interface Undecided {
  readonly output: OutputName;
  readonly index: number[];
}

export interface OracleAnswer {
  /** Correctly rounded to the format; NaN where undecided. LSE −Infinity for empty rows. */
  readonly values: Outputs;
  /** Float64 enclosures of the exact value; at most two ULPs wide where the format is f64. */
  readonly lo: Outputs;
  readonly hi: Outputs;
  readonly undecided: readonly Undecided[];
  /** Elements decided at each level, by its name. */
  readonly decidedBy: Readonly<Record<string, number>>;
}

export interface OracleOptions {
  /** Number format of the answer; default f64. */
  readonly format?: FormatName;
}

/** Tries one level on the open elements; returns those still open. */
function climb(
  level: Level,
  attentionCase: AttentionCase,
  answer: OracleAnswer,
  open: OpenElements,
  format: FormatName,
): OpenElements {
  const shapes = (output: OutputName) => outputShape(attentionCase, output);
  const at = level.enclose(attentionCase, open, shapes, format);
  const decided = answer.decidedBy as Record<string, number>;
  const still: OpenElements = new Map();
  for (const [output, flats] of open) {
    const [values, low, high] = [answer.values, answer.lo, answer.hi].map(
      (all) => all[output]?.data,
    );
    if (values === undefined || low === undefined || high === undefined) continue;
    const rest: number[] = [];
    for (const flat of flats) {
      const { lo, hi, rounded } = at(output, flat);
      low[flat] = Math.max(low[flat] ?? lo, lo);
      high[flat] = Math.min(high[flat] ?? hi, hi);
      if (rounded === null) rest.push(flat);
      else values[flat] = rounded;
    }
    const count = flats.length - rest.length;
    if (count > 0) decided[level.name] = (decided[level.name] ?? 0) + count;
    if (rest.length > 0) still.set(output, rest);
  }
  return still;
}

function namesUndecided(attentionCase: AttentionCase, open: OpenElements): Undecided[] {
  return [...open].flatMap(([output, flats]) => {
    const shape = outputShape(attentionCase, output);
    return flats.map((flat) => ({ output, index: indexOf(shape, flat) }));
  });
}

/**
 * The correctly rounded answer of the case in `format`, with enclosures. Throws RangeError for a
 * format that is none.
 */
export function oracle(
  attentionCase: AttentionCase,
  { format = 'f64' }: OracleOptions = {},
): OracleAnswer {
  if (!FORMATS.includes(format)) {
    throw new RangeError(`"format" expected one of ${FORMATS.join(', ')}, got ${String(format)}`);
  }
  const { wants } = attentionCase.parameters;
  const all = (value: number): Outputs =>
    Object.fromEntries(
      wants.map((name) => {
        const shape = outputShape(attentionCase, name);
        return [name, tensorOf<number>(new Float64Array(elementCount(shape)).fill(value), shape)];
      }),
    );
  const answer: OracleAnswer = {
    values: all(Number.NaN),
    lo: all(Number.NEGATIVE_INFINITY),
    hi: all(Number.POSITIVE_INFINITY),
    undecided: [],
    decidedBy: {},
  };
  let open: OpenElements = new Map();
  for (const name of wants) {
    const count = elementCount(outputShape(attentionCase, name));
    if (count > 0)
      open.set(
        name,
        Array.from({ length: count }, (_, flat) => flat),
      );
  }
  for (const level of LADDER) {
    if (openCount(open) === 0) break;
    open = climb(level, attentionCase, answer, open, format);
  }
  return { ...answer, undecided: namesUndecided(attentionCase, open) };
}
