/**
 * How the wrong values of an output stand to the right ones: a factor, a constant, another order of
 * heads or rows, exchanged axes, another output's values, NaN, zero, fewer digits.
 * @module
 */

import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import type { CaseParameters } from '../../reference/case/case.ts';
import { type FormatName, roundTo, unitRoundoff } from '../../reference/numbers/format.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { elementCount } from '../../reference/numbers/tensor.ts';
import { allowedAt, near, spreadOf } from './agreement.ts';
import { axesOf, many } from './axes.ts';
import type { KeptAnswer, KeptOutput } from './kept-answers.ts';

/** One output of one case, and the flat places where it is wrong. */
export interface Looked {
  readonly answer: KeptAnswer;
  readonly output: KeptOutput;
  readonly off: readonly number[];
}

const everyOff = ({ output, off }: Looked, holds: (got: number, n: number) => boolean): boolean =>
  off.every((n) => holds(nth(output.got, n), n));

/** NaN, infinite or zero wherever it is wrong. */
export function special(looked: Looked): string[] {
  const expected = (n: number): number => nth(looked.output.expected, n);
  if (everyOff(looked, Number.isNaN)) {
    const emptyLse = everyOff(looked, (_, n) => expected(n) === Number.NEGATIVE_INFINITY);
    return [emptyLse ? 'NaN in rows that attend to nothing' : 'NaN where it is wrong'];
  }
  if (everyOff(looked, (got) => got === Number.POSITIVE_INFINITY)) return ['∞ where it is wrong'];
  if (everyOff(looked, (got) => got === Number.NEGATIVE_INFINITY)) return ['−∞ where it is wrong'];
  if (everyOff(looked, (got) => got === 0)) return ['zero where it is wrong'];
  if (everyOff(looked, (_, n) => expected(n) === 0)) return ['not zero where it should be'];
  if (everyOff(looked, (_, n) => expected(n) === Number.NEGATIVE_INFINITY)) {
    return ['not −∞ where rows attend to nothing'];
  }
  return [];
}

/** Numbers of a case that a result may have been multiplied with by mistake. */
const FACTORS: readonly [string, (p: CaseParameters) => number][] = [
  ['−1', () => -1],
  ['ln 2', () => Math.LN2],
  ['1/ln 2', () => 1 / Math.LN2],
  ['the scale', (p) => p.scale],
  ['1/scale', (p) => 1 / p.scale],
  ['the group size', (p) => p.heads / p.kv_heads],
  ['1/(group size)', (p) => p.kv_heads / p.heads],
  ['the number of ranks', (p) => p.partition.ranks],
  ['1/ranks', (p) => 1 / p.partition.ranks],
  ['1/(1 − dropout rate)', (p) => 1 / (1 - p.dropout_rate)],
  ['1 − dropout rate', (p) => 1 - p.dropout_rate],
  ['√head_dim', (p) => Math.sqrt(p.head_dim)],
  ['1/√head_dim', (p) => 1 / Math.sqrt(p.head_dim)],
  ['1/head_dim', (p) => 1 / p.head_dim],
  ['the softcap', (p) => p.softcap],
  ['1/softcap', (p) => 1 / p.softcap],
  ['the batch', (p) => p.batch],
  ['1/batch', (p) => 1 / p.batch],
  ['the number of heads', (p) => p.heads],
  ['1/heads', (p) => 1 / p.heads],
  ['seq_kv', (p) => p.seq_kv],
  ['1/seq_kv', (p) => 1 / p.seq_kv],
  ['seq_q', (p) => p.seq_q],
  ['1/seq_q', (p) => 1 / p.seq_q],
  ['2', () => 2],
  ['1/2', () => 0.5],
];

const CONSTANTS: readonly [string, (p: CaseParameters) => number][] = [
  ['ln 2', () => Math.LN2],
  ['−ln 2', () => -Math.LN2],
  ['ln ranks', (p) => Math.log(p.partition.ranks)],
  ['−ln ranks', (p) => -Math.log(p.partition.ranks)],
  ['ln seq_kv', (p) => Math.log(p.seq_kv)],
  ['−ln seq_kv', (p) => -Math.log(p.seq_kv)],
  ['1', () => 1],
  ['−1', () => -1],
];

const plain = (value: number): string => String(Number(value.toPrecision(4))).replace('-', '−');

/** Elements from which a factor or constant may be told. */
const ENOUGH = 3;

/** `got = factor · expected` wherever it is wrong, and how the factor may be called. */
export function factors(looked: Looked): string[] {
  const { output, answer, off } = looked;
  const finite = off.filter((n) => Number.isFinite(nth(output.expected, n)));
  if (finite.length < Math.max(1, off.length)) return [];
  const fits = (factor: number): boolean =>
    everyOff(looked, (got, n) => {
      const allowed = Math.max(allowedAt(output, n), Math.abs(factor) * nth(output.allows, n));
      return near(got, factor * nth(output.expected, n), allowed);
    });
  const named = FACTORS.flatMap(([name, of]) => {
    const factor = of(answer.question.parameters);
    return Number.isFinite(factor) && factor !== 1 && factor !== 0 && fits(factor) ? [name] : [];
  });
  if (named.length > 0) return named.map((name) => `${name} times what it should be`);
  let [products, squares] = [0, 0];
  for (const n of off) {
    products += nth(output.got, n) * nth(output.expected, n);
    squares += nth(output.expected, n) ** 2;
  }
  const factor = products / squares;
  if (off.length < ENOUGH || !Number.isFinite(factor) || Math.abs(factor) < 2 ** -20) return [];
  return fits(factor)
    ? [`${plain(factor)} times what it should be`, 'a constant times what it should be']
    : [];
}

/** `got = expected + constant` wherever it is wrong. */
export function constants(looked: Looked): string[] {
  const { output, answer, off } = looked;
  const [first] = off;
  if (first === undefined || off.length < ENOUGH) return [];
  const fits = (constant: number): boolean =>
    Number.isFinite(constant) &&
    everyOff(looked, (got, n) => {
      return near(got, nth(output.expected, n) + constant, allowedAt(output, n));
    });
  const named = CONSTANTS.flatMap(([name, of]) => {
    const constant = of(answer.question.parameters);
    return constant !== 0 && fits(constant) ? [name] : [];
  });
  if (named.length > 0) return named.map((name) => `off by ${name}`);
  const constant = nth(output.got, first) - nth(output.expected, first);
  return fits(constant) ? [`off by the constant ${plain(constant)}`, 'off by a constant'] : [];
}

/** Whether two elements are equal as far as rounding lets one tell. */
const equal = (output: KeptOutput, gotAt: number, expectedAt: number): boolean =>
  near(
    nth(output.got, gotAt),
    nth(output.expected, expectedAt),
    Math.max(allowedAt(output, gotAt), nth(output.allows, expectedAt)),
  );

interface Slices {
  readonly extent: number;
  /** Whether the candidate's slice `i` along the axis is the right slice `j`. */
  readonly same: (i: number, j: number) => boolean;
}

function slicesAlong(output: KeptOutput, axis: number): Slices {
  const extent = output.shape[axis] ?? 1;
  const inner = elementCount(output.shape.slice(axis + 1));
  const outer = elementCount(output.shape.slice(0, axis));
  const same = (i: number, j: number): boolean => {
    for (let o = 0; o < outer; o++) {
      for (let c = 0; c < inner; c++) {
        const [a, b] = [(o * extent + i) * inner + c, (o * extent + j) * inner + c];
        if (!equal(output, a, b)) return false;
      }
    }
    return true;
  };
  return { extent, same };
}

/** Longer axes are not searched for orders. */
const ORDERED_MAX = 64;

/** What an order of slices is called. `order[i]` is the right slice that stands at i. */
function orderName(order: readonly number[], noun: string): string {
  const last = order.length - 1;
  if (order.every((j, i) => j === last - i)) return `${many(noun)} in reverse order`;
  const by = (order[0] ?? 0) % order.length;
  if (order.every((j, i) => j === (i + by) % order.length)) {
    return `${many(noun)} turned round by ${by}`;
  }
  return `${many(noun)} in another order`;
}

/** The right slices in another order, or each one place late or early. */
export function orders({ answer, output }: Looked): string[] {
  return axesOf(output.name, answer.question.parameters).flatMap(({ noun }, axis) => {
    const { extent, same } = slicesAlong(output, axis);
    if (extent < 2 || extent > ORDERED_MAX || noun === 'component') return [];
    const order = Array.from({ length: extent }, (_, i) => {
      if (same(i, i)) return i;
      return Array.from({ length: extent }, (_, j) => j).find((j) => same(i, j)) ?? -1;
    });
    if (order.every((j, i) => j === i)) return [];
    const distinct = new Set(order).size === extent;
    if (distinct && !order.includes(-1)) return [orderName(order, noun)];
    if (extent < ENOUGH) return [];
    // Slices that are right where they stand tell of no other order.
    const moved = (slices: readonly number[]): boolean => slices.some((i) => order[i] !== i);
    const later = order.map((_, i) => i).slice(1);
    const late = moved(later) && later.every((i) => same(i, i - 1));
    if (late) return [`${many(noun)} one place late`];
    const sooner = later.map((i) => i - 1);
    const early = moved(sooner) && sooner.every((i) => same(i, i + 1));
    return early ? [`${many(noun)} one place early`] : [];
  });
}

/** The right numbers with two axes exchanged in memory. */
export function exchanged({ answer, output }: Looked): string[] {
  const { shape } = output;
  const axes = axesOf(output.name, answer.question.parameters);
  const found: string[] = [];
  for (let a = 0; a + 1 < shape.length; a++) {
    const [rows, columns] = [shape[a] ?? 1, shape[a + 1] ?? 1];
    if (rows < 2 || columns < 2) continue;
    const inner = elementCount(shape.slice(a + 2));
    const matches = output.got.every((_, n) => {
      const [c, rest] = [n % inner, Math.floor(n / inner)];
      const within = rest % (rows * columns);
      const outer = Math.floor(rest / (rows * columns));
      // Written as [.., columns, rows, ..].
      const [column, row] = [Math.floor(within / rows), within % rows];
      return equal(output, n, ((outer * rows + row) * columns + column) * inner + c);
    });
    const [one = '', other = ''] = axes.slice(a, a + 2).map(({ noun }) => many(noun));
    if (matches) found.push(`laid out with ${one} and ${other} exchanged`);
  }
  return found;
}

/** The values of another output. */
export function taken({ answer, output }: Looked): string[] {
  return answer.outputs.flatMap((other) => {
    if (other === output || other.shape.join() !== output.shape.join()) return [];
    const matches = output.got.every((got, n) =>
      near(got, nth(other.expected, n), allowedAt(output, n)),
    );
    return matches ? [`what ${other.name} should be`] : [];
  });
}

const NAMES: readonly [FormatName, string][] = [
  ['bf16', 'bfloat16'],
  ['f16', 'float16'],
  ['f32', 'float32'],
];

/** Numbers of a coarser format than the profile's, everywhere. */
export function coarse({ output }: Looked, { outputFormat }: Profile): string[] {
  const values = output.got.filter((x) => Number.isFinite(x) && x !== 0);
  if (values.length < 8) return [];
  const known = NAMES.find(
    ([format]) =>
      unitRoundoff(format) > unitRoundoff(outputFormat) &&
      values.every((x) => roundTo(format, x) === x),
  );
  // Right values that are such numbers by themselves say nothing.
  if (known === undefined || output.expected.every((x) => roundTo(known[0], x) === x)) return [];
  return spreadOf(output) < unitRoundoff(known[0]) ? [`only ${known[1]} numbers`] : [];
}
