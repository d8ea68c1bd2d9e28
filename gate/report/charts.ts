/**
 * What a failing case's pictures show: how far each element is off as a fraction of its bound, as maps
 * (rows by channels, heads by rows), counted in octaves, and by head and rank.
 *
 * It is computed from the folder in which the case is kept, as the judge saw it. Maps are of a bounded
 * size: each of their cells is the worst of the elements under it.
 * @module
 */
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { type AttentionCase, OUTPUT_NAMES, type OutputName } from '../../reference/case/case.ts';
import { shardedAlong } from '../../reference/case/case-shapes.ts';
import { readCase } from '../../reference/files/case-folder.ts';
import { readOutputs } from '../../reference/files/given-outputs.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { indexOf } from '../../reference/numbers/tensor.ts';
import { type ElementErrors, elementErrors } from '../../reference/verdict/element-errors.ts';
import { expectationFor, type Verdict } from '../../reference/verdict/judge.ts';
import { productsOf } from '../cost.ts';
import type { CaseChart, ErrorMap, GroupCount, Histogram, OutputChart } from './chart.ts';
import { mapCode } from './map-code.ts';

/** Cells along a side of a map, and maps of one output beside the one over all heads. */
const [SIDE, MAPS] = [64, 4];
/** Products of Q·K and P·V up to which a case is evaluated again for its pictures. */
const PRODUCTS_MAX = 2 ** 26;
const WORST = 6;
const GROUPS_MAX = 256;

const LAST_AXES: Readonly<Record<string, readonly string[]>> = {
  out: ['batch', 'head', 'query', 'channel'],
  d_q: ['batch', 'head', 'query', 'channel'],
  lse: ['batch', 'head', 'query'],
  d_k: ['batch', 'KV head', 'key', 'channel'],
  d_v: ['batch', 'KV head', 'key', 'channel'],
  d_bias: ['batch', 'head', 'query', 'key'],
  d_sink: ['head'],
  d_y: ['batch', 'key', 'feature'],
  d_w_k: ['feature', 'column'],
  d_w_v: ['feature', 'column'],
};

/** The names of an output's axes; a bias has as many of the last as it has axes. */
function axesOf(name: OutputName, shape: readonly number[]): string[] {
  const names = LAST_AXES[name] ?? [];
  return shape.map((_, n) => names[names.length - shape.length + n] ?? `axis ${n}`);
}

/** The larger of two fractions, of which NaN is none. */
const worse = (a: number, b: number): number => (Number.isNaN(a) || b > a ? b : a);

interface Plane {
  readonly rows: number;
  readonly columns: number;
  readonly at: (row: number, column: number) => number;
}

function mapOf(plane: Plane, about: Pick<ErrorMap, 'title' | 'rowName' | 'columnName'>): ErrorMap {
  const step = [plane.rows, plane.columns].map((n) => Math.max(1, Math.ceil(n / SIDE)));
  const [down = 1, across = 1] = step;
  const [rows, columns] = [Math.ceil(plane.rows / down), Math.ceil(plane.columns / across)];
  const cells = new Float64Array(rows * columns).fill(Number.NaN);
  for (let row = 0; row < plane.rows; row++) {
    for (let column = 0; column < plane.columns; column++) {
      const cell = Math.floor(row / down) * columns + Math.floor(column / across);
      cells[cell] = worse(nth(cells, cell), plane.at(row, column));
    }
  }
  const codes = Buffer.from(Uint8Array.from(cells, mapCode)).toString('base64');
  return { ...about, rows, columns, step: [down, across], codes };
}

/** The largest and how many lie outside, of some elements. */
function countOf(name: string, fractions: Iterable<number>): GroupCount {
  let [of, outside, worst] = [0, 0, Number.NaN];
  for (const fraction of fractions) {
    of++;
    if (fraction > 1) outside++;
    worst = worse(worst, fraction);
  }
  return { name, of, outside, worst };
}

/** Over all heads: the worst channel of each row of each head. */
function overview({ name, shape, fractions }: ElementErrors): ErrorMap[] {
  const [batch = 1, heads = 1, rows = 1, channels = 1] = shape;
  if (shape.length !== 4 || batch * heads < 2) return [];
  const [, head = 'head', row = 'row', channel = 'channel'] = axesOf(name, shape);
  const at = (n: number, m: number): number => {
    const from = (n * rows + m) * channels;
    return fractions.subarray(from, from + channels).reduce(worse, Number.NaN);
  };
  const title = `worst ${channel} of each ${row}, all heads`;
  const rowName = batch > 1 ? `batch · ${head}` : head;
  return [mapOf({ rows: batch * heads, columns: rows, at }, { title, rowName, columnName: row })];
}

/** The last two axes, for the parts of the others that are furthest off. */
function planes({ name, shape, fractions }: ElementErrors): ErrorMap[] {
  const axes = axesOf(name, shape);
  const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const size = rows * columns;
  const leading = shape.slice(0, -2);
  const parts = Array.from({ length: size === 0 ? 0 : fractions.length / size }, (_, part) => ({
    part,
    ...countOf('', fractions.subarray(part * size, (part + 1) * size)),
  }));
  parts.sort((a, b) => b.outside - a.outside || (b.worst > a.worst ? 1 : -1) || a.part - b.part);
  return parts.slice(0, MAPS).map(({ part }) => {
    const index = indexOf([...leading], part);
    const title = index.map((n, axis) => `${axes[axis]} ${n}`).join(', ') || name;
    const at = (row: number, column: number): number =>
      nth(fractions, part * size + row * columns + column);
    const rowName = axes.at(-2) ?? '';
    return mapOf({ rows, columns, at }, { title, rowName, columnName: axes.at(-1) ?? '' });
  });
}

/** Elements by the place that they have on an axis. */
function grouped(
  { shape, fractions }: ElementErrors,
  groups: number,
  groupAt: (index: readonly number[]) => number,
  nameOf: (group: number) => string,
): GroupCount[] {
  if (groups < 2 || groups > GROUPS_MAX) return [];
  const lists = Array.from({ length: groups }, (): number[] => []);
  fractions.forEach((fraction, n) => {
    lists[groupAt(indexOf([...shape], n))]?.push(fraction);
  });
  return lists.map((list, group) => countOf(nameOf(group), list));
}

function byHead(errors: ElementErrors): GroupCount[] {
  const axis = axesOf(errors.name, errors.shape).findIndex((name) => /head$/.test(name));
  if (axis < 0) return [];
  return grouped(
    ...([errors, errors.shape[axis] ?? 0] as const),
    (index) => index[axis] ?? 0,
    (head) => `head ${head}`,
  );
}

/** The rank in whose block a row or key lies. */
function byRank(errors: ElementErrors, { parameters }: AttentionCase): GroupCount[] {
  const sharded = shardedAlong(errors.name);
  if (sharded === null) return [];
  const sizes = parameters.partition[sharded.by];
  const owner = sizes.flatMap((size, rank) => new Array<number>(size).fill(rank));
  return grouped(
    ...([errors, parameters.partition.ranks] as const),
    (index) => owner[index[sharded.axis] ?? 0] ?? 0,
    (rank) => `rank ${rank}`,
  );
}

/** Octaves beyond which all is one bar. */
const [LEAST, MOST] = [-12, 24];
const octave = (value: number): number =>
  Math.min(MOST + 1, Math.max(LEAST, Math.ceil(Math.log2(value))));
/** Bars: 0, one for each octave, what is beyond them, and what is not finite. */
const BARS = MOST - LEAST + 4;
const FEWEST = 12;

const raised = (n: number): string =>
  String(n).replace(/./g, (c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)] ?? c);

function barLabel(bar: number): string {
  if (bar === 0) return '0';
  if (bar === BARS - 1) return '∞';
  const exponent = bar - 1 + LEAST;
  if (exponent > MOST) return `>2${raised(MOST)}`;
  return exponent >= -2 && exponent <= 4 ? String(2 ** exponent) : `2${raised(exponent)}`;
}

/** The bars from the first with something in it to the last, of several lists of values alike. */
export function histograms(lists: readonly ArrayLike<number>[], bounded: boolean): Histogram[] {
  const counts = lists.map((list) => {
    const bars = new Array<number>(BARS).fill(0);
    for (const value of Array.from(list)) {
      if (Number.isNaN(value)) continue;
      const bar = value === 0 ? 0 : Number.isFinite(value) ? octave(value) - LEAST + 1 : BARS - 1;
      bars[bar] = (bars[bar] ?? 0) + 1;
    }
    return bars;
  });
  const used = Array.from({ length: BARS }, (_, bar) => bar).filter((bar) =>
    counts.some((bars) => (bars[bar] ?? 0) > 0),
  );
  const to = Math.max(used.at(-1) ?? 0, bounded ? 1 - LEAST : 0);
  const from = Math.max(0, Math.min(used[0] ?? 0, to - FEWEST + 1));
  const shown = Array.from({ length: to - from + 1 }, (_, n) => from + n);
  const outside = shown.findIndex((bar) => bar > 1 - LEAST);
  return counts.map((bars) => ({
    labels: shown.map(barLabel),
    counts: shown.map((bar) => bars[bar] ?? 0),
    outside: bounded && outside >= 0 ? outside : null,
  }));
}

function worstOf({ shape, fractions, ulps, expected, got }: ElementErrors): OutputChart['worst'] {
  const places: number[] = [];
  fractions.forEach((fraction, n) => {
    if (!(fraction > 0)) return;
    let at = places.length;
    while (at > 0 && nth(fractions, places[at - 1] ?? 0) < fraction) at--;
    if (at < WORST) places.splice(at, 0, n);
    if (places.length > WORST) places.pop();
  });
  return places.map((n) => ({
    index: indexOf([...shape], n),
    ...{ fraction: nth(fractions, n), ulp: nth(ulps, n) },
    ...{ expected: expected[n] ?? Number.NaN, got: got[n] ?? Number.NaN },
  }));
}

const NO_BARS: Histogram = { labels: [], counts: [], outside: null };

function outputChart(errors: ElementErrors, question: AttentionCase): OutputChart {
  const { name, shape, fractions, ulps } = errors;
  return {
    ...{ name, shape, count: countOf(name, fractions), worst: worstOf(errors) },
    notAsked: fractions.filter(Number.isNaN).length,
    fractions: histograms([fractions], true)[0] ?? NO_BARS,
    ulps: histograms([ulps], false)[0] ?? NO_BARS,
    heads: byHead(errors),
    ranks: byRank(errors, question),
    maps: [...overview(errors), ...planes(errors)],
  };
}

/** Those of its outputs that it returned: a candidate may return no LSE, say. */
function returnedIn(folder: string, question: AttentionCase) {
  const whole = readOutputs(folder, question);
  if (whole.ok) return { asked: question, outputs: whole.outputs };
  const wants = question.parameters.wants.filter((name) => {
    const parameters = { ...question.parameters, wants: [name] };
    return readOutputs(folder, { ...question, parameters }).ok;
  });
  const asked = { ...question, parameters: { ...question.parameters, wants } };
  const read = readOutputs(folder, asked);
  if (!read.ok || wants.length === 0) throw new RangeError('it wrote no outputs that can be read');
  return { asked, outputs: read.outputs };
}

/**
 * The pictures of the case kept in a folder, of which this is the verdict. Throws with a sentence where
 * there are none: where what lies there has other numbers, for one.
 */
export function caseChart(folder: string, verdict: Verdict, profile: Profile): CaseChart {
  const question = readCase(folder);
  if (productsOf(question) > PRODUCTS_MAX) throw new RangeError('it is too large to be drawn');
  const { asked, outputs } = returnedIn(folder, question);
  const all = elementErrors(expectationFor(asked, profile), outputs);
  const order = (name: OutputName): number => OUTPUT_NAMES.indexOf(name);
  const sorted = all.sort((a, b) => order(a.name) - order(b.name));
  const charts = sorted.map((errors) => outputChart(errors, asked));
  for (const { name, count } of charts) {
    const judged = verdict.outputs[name]?.max_bound_fraction;
    if (judged === undefined || Object.is(judged, count.worst)) continue;
    throw new RangeError(`${folder} holds another case or another answer by now`);
  }
  return { outputs: charts };
}
