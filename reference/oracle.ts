/**
 * The oracle: the correctly rounded answer, by Ziv's strategy.
 *
 * Each element is enclosed in a ball: a value computed in one number system, and a radius from the
 * bounds of spec/bounds.md with that system's own roundoff. When both ends of the ball round to the
 * same number of the target format, that number is the answer. What stays open is computed again
 * with more digits; what the last level leaves open is listed as undecided, never guessed.
 *
 * The radii are derived on paper (spec/bounds.md), not machine-checked; the arithmetic rests on
 * IEEE 754 for float64 and on decimal.js rounding + − × ÷ exp ln correctly.
 * @module
 */
import type { BigNumber } from 'mathjs';
import { big } from './arithmetic/big.ts';
import { float64 } from './arithmetic/float64.ts';
import type { AttentionCase, OutputName, Outputs } from './case.ts';
import { referenceModel } from './error-model.ts';
import { boundsOf, evaluateFloat64 } from './expectation.ts';
import { type FormatName, maxFinite, neighbours, roundTo, ulp } from './format.ts';
import { evaluate } from './reference.ts';
import { filled, forEachIndex, mapTensor, type Tensor } from './tensor.ts';

/** Decimal digits of the levels after float64; 400 digits also settle an exact zero. */
const LEVELS = [40, 120, 400] as const;

/** One element that no level could round. */
export interface Undecided {
  readonly output: OutputName;
  readonly index: number[];
}

export interface OracleAnswer {
  /** Correctly rounded to the format; NaN where undecided. LSE −Infinity for empty rows. */
  readonly values: Outputs;
  /** Float64 enclosures of the exact value, rounded outward. */
  readonly lo: Outputs;
  readonly hi: Outputs;
  readonly undecided: readonly Undecided[];
  /** Elements decided in each number system, by its name. */
  readonly decidedBy: Readonly<Record<string, number>>;
}

/** An exact value enclosed, and rounded to the format when both ends agree; null = still open. */
interface Enclosure {
  readonly lo: number;
  readonly hi: number;
  readonly rounded: number | null;
}

/** One number system at work on one case: encloses the element of an output at an index. */
interface Level {
  readonly name: string;
  readonly enclose: (output: OutputName, index: number[]) => Enclosure;
}

const down = (x: number): number => neighbours('f64', x).below;
const up = (x: number): number => neighbours('f64', x).above;

/** −0 and +0 are one answer: the exact zero. */
const positiveZero = (x: number): number => (x === 0 ? 0 : x);

function agreed(lo: number, hi: number): number | null {
  return Object.is(positiveZero(lo), positiveZero(hi)) ? positiveZero(lo) : null;
}

const EMPTY_ROW: Enclosure = {
  lo: Number.NEGATIVE_INFINITY,
  hi: Number.NEGATIVE_INFINITY,
  rounded: Number.NEGATIVE_INFINITY,
};

/** Radii of a whole case in a system of unit roundoff u. */
function radii(attentionCase: AttentionCase, u: number, tiny: number) {
  const bounds = boundsOf(evaluateFloat64(attentionCase), referenceModel(u, tiny));
  const cache = new Map<OutputName, Tensor>();
  return (output: OutputName, index: number[]): number => {
    const tensor = cache.get(output) ?? bounds.of(output, 0);
    if (tensor === undefined) throw new Error(`no bound was derived for "${output}"`);
    cache.set(output, tensor);
    return tensor.get(...index);
  };
}

function elementOf<T>(outputs: Outputs<T>, output: OutputName, index: number[]): T {
  const tensor = outputs[output];
  if (tensor === undefined) throw new Error(`"${output}" was not computed`);
  return tensor.get(...index);
}

function float64Level(attentionCase: AttentionCase, format: FormatName): Level {
  const outputs = evaluate(float64, attentionCase);
  const radius = radii(attentionCase, 2 ** -53, 2 ** -1022);
  return {
    name: 'float64',
    enclose: (output, index) => {
      const value = elementOf(outputs, output, index);
      if (value === null) return EMPTY_ROW;
      const r = radius(output, index);
      if (r === 0) return { lo: value, hi: value, rounded: positiveZero(roundTo(format, value)) };
      const [lo, hi] = [down(value - r), up(value + r)];
      return { lo, hi, rounded: agreed(roundTo(format, lo), roundTo(format, hi)) };
    },
  };
}

/** The middle between two neighbours of a format; towards infinity, the overflow threshold. */
function middle(format: FormatName, a: number, b: number): number {
  if (Number.isFinite(a) && Number.isFinite(b)) return a / 2 + b / 2;
  const largest = maxFinite(format);
  return Math.sign(Number.isFinite(a) ? a : b) * (largest + ulp(format, largest) / 2);
}

/**
 * A decimal rounded to a format. `toNumber` rounds correctly to float64; a second rounding goes
 * wrong only when that float64 is a midpoint of the format and the decimal is beside it.
 */
export function roundDecimal(
  format: FormatName,
  value: BigNumber,
  compareWith: (x: number) => number,
): number {
  const x = value.toNumber();
  const nearest = roundTo(format, x);
  if (format === 'f64' || !Number.isFinite(x)) return nearest;
  const side = compareWith(x);
  if (side === 0) return nearest;
  const other = roundTo(format, side > 0 ? up(x) : down(x));
  if (other === nearest) return nearest;
  return x === middle(format, nearest, other) ? other : nearest;
}

function decimalLevel(attentionCase: AttentionCase, format: FormatName, digits: number): Level {
  const arithmetic = big(digits);
  const outputs = evaluate(arithmetic, attentionCase);
  const u = 10 ** (1 - Math.min(digits, 300));
  const finer = digits > 300 ? arithmetic.fromNumber(10).pow(300 - digits) : arithmetic.one;
  const radius = radii(attentionCase, u, 0);
  const against = (value: BigNumber) => (x: number) =>
    arithmetic.compare(value, arithmetic.fromNumber(x));
  return {
    name: arithmetic.name,
    enclose: (output, index) => {
      const value = elementOf(outputs, output, index);
      if (value === null) return EMPTY_ROW;
      const bound = radius(output, index);
      if (!Number.isFinite(bound)) return { lo: -bound, hi: bound, rounded: null };
      const r = arithmetic.fromNumber(bound).times(finer);
      const [low, high] = [value.minus(r), value.plus(r)];
      const [lo, hi] = [low.toNumber(), high.toNumber()];
      return {
        lo: Number.isFinite(lo) && against(low)(lo) < 0 ? down(lo) : lo,
        hi: Number.isFinite(hi) && against(high)(hi) > 0 ? up(hi) : hi,
        rounded: agreed(
          roundDecimal(format, low, against(low)),
          roundDecimal(format, high, against(high)),
        ),
      };
    },
  };
}

/** Tries one level on the open elements; returns those still open. */
function descend(level: Level, answer: OracleAnswer, open: readonly Undecided[]): Undecided[] {
  const decided = answer.decidedBy as Record<string, number>;
  const still: Undecided[] = [];
  for (const element of open) {
    const { output, index } = element;
    const { lo, hi, rounded } = level.enclose(output, index);
    answer.lo[output]?.set(...index, lo);
    answer.hi[output]?.set(...index, hi);
    if (rounded === null) still.push(element);
    else {
      answer.values[output]?.set(...index, rounded);
      decided[level.name] = (decided[level.name] ?? 0) + 1;
    }
  }
  return still;
}

/** Every element that the case wants. */
function allElements(shapes: Outputs): Undecided[] {
  const elements: Undecided[] = [];
  for (const [output, tensor] of Object.entries(shapes)) {
    forEachIndex(tensor.shape, (index) => {
      elements.push({ output: output as OutputName, index: [...index] });
    });
  }
  return elements;
}

/** The correctly rounded answer of the whole case in `format`, with enclosures. */
export function oracle(
  attentionCase: AttentionCase,
  { format = 'f64' }: { readonly format?: FormatName } = {},
): OracleAnswer {
  const shapes: Outputs = {};
  for (const [name, tensor] of Object.entries(evaluate(float64, attentionCase))) {
    shapes[name as OutputName] = mapTensor(tensor, () => Number.NaN);
  }
  const like = (): Outputs => {
    const copy: Outputs = {};
    for (const [name, { shape }] of Object.entries(shapes)) {
      copy[name as OutputName] = filled(shape, Number.NaN);
    }
    return copy;
  };
  const answer = { values: like(), lo: like(), hi: like(), decidedBy: {} };
  let open = descend(
    float64Level(attentionCase, format),
    { ...answer, undecided: [] },
    allElements(shapes),
  );
  for (const digits of LEVELS) {
    if (open.length === 0) break;
    const level = decimalLevel(attentionCase, format, digits);
    open = descend(level, { ...answer, undecided: [] }, open);
  }
  return { ...answer, undecided: open };
}
