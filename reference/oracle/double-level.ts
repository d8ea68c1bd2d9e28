/**
 * The level of the ladder between the float64 kernels and the definition over double-double balls: the
 * kernels in double-double, for the rows and keys that open elements belong to.
 * @module
 */

import {
  type AttentionCase,
  type CaseParameters,
  isGradient,
  OUTPUT_NAMES,
  type OutputName,
} from '../case/case.ts';
import { shardedAlong } from '../case/case-shapes.ts';
import { certifyDouble } from '../kernels/double/double-certify.ts';
import type { DoubleSums } from '../kernels/double/double-sums.ts';
import { type Columns, type HeadRows, headRows } from '../kernels/walk/head-rows.ts';
import { TILE } from '../kernels/walk/problem.ts';
import { doubleDoubleBall } from '../numbers/balls.ts';
import { type Enclosure, emptyRow, enclose, UNKNOWN } from '../numbers/enclosure.ts';
import type { FormatName } from '../numbers/format.ts';
import { entry } from '../numbers/nth.ts';
import { elementCount, indexOf } from '../numbers/tensor.ts';
import type { Level, Means } from './levels.ts';
import type { OpenElements } from './open-elements.ts';

/** The shape of each output. */
type Shapes = (output: OutputName) => readonly number[];

const along = (by: 'q' | 'kv' | undefined): readonly OutputName[] =>
  OUTPUT_NAMES.filter((name) => shardedAlong(name)?.by === by);

const [BY_ROW, BY_KEY] = [along('q'), along('kv')];
/** One in so many elements of `out` open, or fewer: then only the columns that they are in are computed. */
const FEW = 4;

/** Asked for as a whole. */
const WHOLE = along(undefined);

/** Keys of open elements, rising, the same for every head. */
function openKeys(open: OpenElements, shapes: Shapes): number[] {
  const found = new Set<number>();
  for (const name of BY_KEY) {
    const axis = shardedAlong(name)?.axis ?? 0;
    for (const flat of open.get(name) ?? []) found.add(indexOf(shapes(name), flat)[axis] ?? 0);
  }
  return [...found].sort((a, b) => a - b);
}

/** Rows of open elements, of each head its own. */
function openRows({ batch, heads }: CaseParameters, open: OpenElements, shapes: Shapes): HeadRows {
  const found = Array.from({ length: batch * heads }, () => new Set<number>());
  for (const name of BY_ROW) {
    for (const flat of open.get(name) ?? []) {
      const [b = 0, h = 0, i = 0] = indexOf(shapes(name), flat);
      found[b * heads + h]?.add(i);
    }
  }
  return headRows(found.map((rows) => [...rows].sort((a, b) => a - b)));
}

/** The columns of `out` that open elements are in, where they are few; else undefined. */
function openColumns(rows: HeadRows, open: OpenElements, shapes: Shapes): Columns | undefined {
  const flats = open.get('out') ?? [];
  const [, heads = 0, , width = 0] = shapes('out');
  if (flats.length > (rows.count * width) / FEW) return undefined;
  const places = placesByHead(rows);
  const found = Array.from({ length: rows.count }, (): number[] => []);
  for (const flat of flats) {
    const [b = 0, h = 0, i = 0, c = 0] = indexOf(shapes('out'), flat);
    found[places[b * heads + h]?.get(i) ?? -1]?.push(c);
  }
  return found.map((columns) => columns.sort((x, y) => x - y));
}

const places = (list: readonly number[], first = 0): Map<number, number> =>
  new Map(list.map((at, n) => [at, first + n]));

const placesByHead = ({ rows, starts }: HeadRows): Map<number, number>[] =>
  rows.map((list, head) => places(list, starts[head]));

/** Where an element is in the results of chosen rows and keys, by output and flat position. */
function placesOf(rows: HeadRows, keys: readonly number[], shapes: Shapes) {
  const keyPlaces = places(keys);
  const rowPlaces = placesByHead(rows);
  return (output: OutputName, flat: number): number | null => {
    const sharded = shardedAlong(output);
    if (sharded === null) return flat;
    const [shape, ofRow] = [shapes(output), sharded.by === 'q'];
    const width = elementCount(shape.slice(sharded.axis + 1));
    const [line, count] = [Math.floor(flat / width), entry(shape, sharded.axis)];
    // What stands before the axis: a head, or of dY a batch entry.
    const before = Math.floor(line / count);
    const place = (ofRow ? rowPlaces[before] : keyPlaces)?.get(line % count);
    if (place === undefined) return null;
    return (ofRow ? place : before * keys.length + place) * width + (flat % width);
  };
}

/** The numbers of an output as an enclosure of one of them. */
function enclosureAt({ high, low, radius }: DoubleSums, at: number, format: FormatName): Enclosure {
  const [hi = Number.NaN, lo = Number.NaN] = [high[at], low[at]];
  const rad = radius[at] ?? Number.POSITIVE_INFINITY;
  if (hi === Number.NEGATIVE_INFINITY && rad === 0) return emptyRow(format);
  const ends = doubleDoubleBall.ends({ mid: { hi, lo }, rad });
  return ends === null ? UNKNOWN : enclose(format, ends.low, ends.high);
}

/**
 * Are float64 weights worth trying first? For a format that they are enough for, where so many rows are open
 * that what they save is more than reading the keys once more.
 */
function shortFirst(
  { parameters: p }: AttentionCase,
  open: OpenElements,
  rows: HeadRows,
  format: FormatName,
): boolean {
  const forward = [...open].every(([name, flats]) => !isGradient(name) || flats.length === 0);
  return forward && format !== 'f64' && rows.count >= TILE * p.batch * p.kv_heads;
}

/** Encloses the open elements; `short`: out and lse with weights in float64. */
function encloseAll(
  attentionCase: AttentionCase,
  open: OpenElements,
  rows: HeadRows,
  shapes: Shapes,
  format: FormatName,
  means: Means & { readonly short: boolean },
): (output: OutputName, flat: number) => Enclosure {
  const isOpen = (name: OutputName): boolean => (open.get(name)?.length ?? 0) > 0;
  const [wants, sums] = [[...BY_ROW, ...BY_KEY].filter(isOpen), WHOLE.filter(isOpen)];
  const { parameters } = attentionCase;
  const keys = openKeys(open, shapes);
  const columns = openColumns(rows, open, shapes);
  const wanting = (names: readonly OutputName[]): AttentionCase => ({
    ...attentionCase,
    parameters: { ...parameters, wants: [...names] },
  });
  const certified = {
    ...(wants.length > 0 ? certifyDouble(wanting(wants), { rows, keys, columns, ...means }) : {}),
    ...(sums.length > 0 ? certifyDouble(wanting(sums), means) : {}),
  };
  const place = placesOf(rows, keys, shapes);
  return (output, flat) => {
    const [found, at] = [certified[output], place(output, flat)];
    return found === undefined || at === null ? UNKNOWN : enclosureAt(found, at, format);
  };
}

export const DOUBLE_LEVEL: Level = {
  name: doubleDoubleBall.arithmetic.name,
  enclose: (attentionCase, open, shapes, format, means = {}) => {
    const at = (some: OpenElements, short: boolean) => {
      const rows = openRows(attentionCase.parameters, some, shapes);
      return encloseAll(attentionCase, some, rows, shapes, format, { ...means, short });
    };
    const rows = openRows(attentionCase.parameters, open, shapes);
    if (!shortFirst(attentionCase, open, rows, format)) return at(open, false);
    const first = at(open, true);
    const left: OpenElements = new Map();
    for (const [name, flats] of open) {
      const still = flats.filter((flat) => first(name, flat).rounded === null);
      if (still.length > 0) left.set(name, still);
    }
    if (left.size === 0) return first;
    const second = at(left, false);
    return (output, flat) => {
      const one = first(output, flat);
      return one.rounded === null ? second(output, flat) : one;
    };
  },
};
