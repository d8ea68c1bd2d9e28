/**
 * The oracle's answer held to the exact evaluation: every rounding, and every enclosure.
 * @module
 */
import type { AttentionCase, OutputName } from '../case/case.ts';
import type { FormatName } from '../numbers/format.ts';
import { type OracleOptions, oracle } from '../oracle/oracle.ts';
import { type Binary, binary, compare, type Interval } from './binary.ts';
import { overflowOf, rounded } from './binary-format.ts';
import { type ExactOutputs, exactEvaluation } from './exact-evaluation.ts';

/** The formats that the oracle answers in from the command line. */
export const ANSWER_FORMATS = ['f64', 'f32', 'bf16', 'f16', 'fp8-e4m3', 'fp8-e5m2'] as const;

/** Bits of the evaluation, raised while an element's rounding is open. */
export const BITS = [192, 1600, 7000] as const;

export interface Judgement {
  /** Elements looked at. */
  readonly checked: number;
  /** Those of which the evaluation says what they round to. */
  readonly witnessed: number;
  /** Those that the oracle left open, by name. */
  readonly undecided: number;
  /** Sentences about every element whose rounding or enclosure is wrong. */
  readonly wrong: string[];
}

/** What the interval rounds to; undefined where its ends differ. */
function roundedInterval(format: FormatName, value: Interval | null): number | undefined {
  if (value === null) return overflowOf(format, -1);
  const { lo, hi } = value;
  if (lo.m < 0n !== hi.m < 0n && Number.isNaN(rounded(format, hi))) return undefined;
  const [a, b] = [rounded(format, lo), rounded(format, hi)];
  return Object.is(a, b) ? a : undefined;
}

/** The evaluation at as many bits as it takes to round every element, within limits. */
export function witness(c: AttentionCase, format: FormatName): ExactOutputs {
  let outputs: ExactOutputs = {};
  for (const bits of BITS) {
    outputs = exactEvaluation(c, bits);
    const open = Object.values(outputs).some((list) =>
      list.some((value) => roundedInterval(format, value) === undefined),
    );
    if (!open) break;
  }
  return outputs;
}

/** A finite float64 or an infinity against a binary number. */
function isAtMost(x: number, y: Binary): boolean {
  return x === Number.NEGATIVE_INFINITY || (Number.isFinite(x) && compare(binary(x), y) <= 0);
}
function isAtLeast(x: number, y: Binary): boolean {
  return x === Number.POSITIVE_INFINITY || (Number.isFinite(x) && compare(binary(x), y) >= 0);
}

/** Is it what some number of the interval rounds to? */
function isBetween(format: FormatName, value: Interval | null, got: number): boolean {
  if (value === null) return false;
  const [a, b] = [rounded(format, value.lo), rounded(format, value.hi)];
  return Number.isNaN(got) ? Number.isNaN(a) || Number.isNaN(b) : !(got < a) && !(got > b);
}

function enclosureFault(value: Interval | null, lo: number, hi: number): string | null {
  if (!(lo <= hi)) return `lo ${lo} is not at most hi ${hi}`;
  if (value === null) {
    return lo === Number.NEGATIVE_INFINITY ? null : `an empty row is not in [${lo}, ${hi}]`;
  }
  // The truth lies somewhere in its interval: an end beyond all of that is on the wrong side.
  const inside = isAtMost(lo, value.hi) && isAtLeast(hi, value.lo);
  return inside ? null : `${about(value)} is not in [${lo}, ${hi}]`;
}

const about = ({ lo, hi }: Interval): string =>
  `[${rounded('f64', lo)}, ${rounded('f64', hi)}] of exponents ${lo.e}, ${hi.e}`;

/** Holds every element of the case in the format to the evaluation. */
export function judgeNasty(
  c: AttentionCase,
  format: FormatName,
  options: OracleOptions = {},
): Judgement {
  const answer = oracle(c, { ...options, format });
  const truth = witness(c, format);
  const open = new Set(answer.undecided.map(({ output, index }) => `${output}[${index}]`));
  const wrong: string[] = [];
  let [checked, witnessed] = [0, 0];
  for (const [key, list] of Object.entries(truth)) {
    const name = key as OutputName;
    const shape = answer.values[name]?.shape ?? [];
    list.forEach((value, flat) => {
      checked++;
      const place = `${name}[${indexOf(shape, flat)}]`;
      const at = (part: 'values' | 'lo' | 'hi'): number =>
        answer[part][name]?.data[flat] ?? Number.NaN;
      const fault = enclosureFault(value, at('lo'), at('hi'));
      if (fault !== null) wrong.push(`${place}: ${fault}`);
      const want = roundedInterval(format, value);
      if (want !== undefined) witnessed++;
      if (open.has(place)) return;
      const got = at('values');
      const fits = want !== undefined ? Object.is(got, want) : isBetween(format, value, got);
      if (!fits) wrong.push(`${place}: ${got}, not ${want ?? (value && about(value))}`);
    });
  }
  return { checked, witnessed, undecided: answer.undecided.length, wrong };
}

function indexOf(shape: readonly number[], flat: number): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}
