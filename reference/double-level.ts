/**
 * The level of the ladder between the float64 kernels and the definition over double-double balls: the
 * kernels in double-double, for the rows and keys that open elements belong to.
 * @module
 */
import { doubleDoubleBall } from './arithmetic/balls.ts';
import type { AttentionCase, OutputName } from './case.ts';
import { type Enclosure, emptyRow, enclose, UNKNOWN } from './enclosure.ts';
import type { FormatName } from './format.ts';
import { certifyDouble } from './kernels/double-certify.ts';
import type { Level } from './levels.ts';
import { oneHead } from './one-head.ts';
import type { OpenElements } from './open-elements.ts';
import { elementCount, indexOf, flatOf as placeOf } from './tensor.ts';

/** Products of Q K and P V from which head by head is worth it. */
const LARGE = 2 ** 28;

const BY_ROW: readonly OutputName[] = ['out', 'lse', 'd_q'];
const BY_KEY: readonly OutputName[] = ['d_k', 'd_v'];
/** Asked for as a whole. */
const WHOLE: readonly OutputName[] = ['d_bias', 'd_sink', 'd_y', 'd_w_k', 'd_w_v'];

/** The third coordinates of the open elements of some outputs, rising. */
function positions(
  open: OpenElements,
  names: readonly OutputName[],
  shapes: (output: OutputName) => readonly number[],
): number[] {
  const found = new Set<number>();
  for (const name of names) {
    const shape = shapes(name);
    for (const flat of open.get(name) ?? []) found.add(indexOf(shape, flat)[2] ?? 0);
  }
  return [...found].sort((a, b) => a - b);
}

/** Encloses an open element by its flat position. */
type Enclosing = (output: OutputName, flat: number, format: FormatName) => Enclosure;

/** All open elements at once, their rows and keys in every head. */
function together(
  attentionCase: AttentionCase,
  open: OpenElements,
  shapes: (output: OutputName) => readonly number[],
): Enclosing {
  const isOpen = (name: OutputName): boolean => (open.get(name)?.length ?? 0) > 0;
  const [wants, sums] = [[...BY_ROW, ...BY_KEY].filter(isOpen), WHOLE.filter(isOpen)];
  if (wants.length + sums.length === 0) return () => UNKNOWN;
  const [rows, keys] = [positions(open, BY_ROW, shapes), positions(open, BY_KEY, shapes)];
  const wanting = (names: readonly OutputName[]): AttentionCase => ({
    ...attentionCase,
    parameters: { ...attentionCase.parameters, wants: [...names] },
  });
  const certified = {
    ...(wants.length > 0 ? certifyDouble(wanting(wants), { rows, keys }) : {}),
    ...(sums.length > 0 ? certifyDouble(wanting(sums)) : {}),
  };
  const places = (list: readonly number[]) => new Map(list.map((at, n) => [at, n]));
  const [rowPlaces, keyPlaces] = [places(rows), places(keys)];
  /** Where an element of chosen rows or keys is. */
  const placeAmong = (output: OutputName, flat: number): number | null => {
    const shape = shapes(output);
    const [b = 0, h = 0, i = 0, c = 0] = indexOf(shape, flat);
    const byRow = BY_ROW.includes(output);
    const place = (byRow ? rowPlaces : keyPlaces).get(i);
    if (place === undefined) return null;
    const count = byRow ? rows.length : keys.length;
    return ((b * (shape[1] ?? 0) + h) * count + place) * elementCount(shape.slice(3)) + c;
  };
  return (output, flat, format) => {
    const found = certified[output];
    if (found === undefined) return UNKNOWN;
    const at = WHOLE.includes(output) ? flat : placeAmong(output, flat);
    if (at === null) return UNKNOWN;
    const [hi = Number.NaN, lo = Number.NaN] = [found.high[at], found.low[at]];
    const rad = found.radius[at] ?? Number.POSITIVE_INFINITY;
    if (hi === Number.NEGATIVE_INFINITY && rad === 0) return emptyRow(format);
    const ends = doubleDoubleBall.ends({ mid: { hi, lo }, rad });
    return ends === null ? UNKNOWN : enclose(format, ends.low, ends.high);
  };
}

/** Large cases of which few rows are open: those rows alone, head by head. */
function byHead(
  attentionCase: AttentionCase,
  open: OpenElements,
  shapes: (output: OutputName) => readonly number[],
): Enclosing | null {
  const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y } = attentionCase.parameters;
  const products = batch * heads * seq_q * seq_kv * (head_dim + head_dim_v);
  if (products < LARGE || dim_y !== undefined) return null;
  if ([...open.keys()].some((name) => !BY_ROW.includes(name))) return null;
  const ofHead = new Map<string, Enclosing>();
  const parts = new Map<string, OpenElements>();
  for (const [name, flats] of open) {
    for (const flat of flats) {
      const [b = 0, h = 0, ...rest] = indexOf(shapes(name), flat);
      const part: OpenElements = parts.get(`${b} ${h}`) ?? new Map();
      const inHead = placeOf([1, 1, ...shapes(name).slice(2)], [0, 0, ...rest]);
      part.set(name, [...(part.get(name) ?? []), inHead]);
      parts.set(`${b} ${h}`, part);
    }
  }
  const alone = (name: OutputName) => [1, 1, ...shapes(name).slice(2)];
  for (const [head, part] of parts) {
    const [b = 0, h = 0] = head.split(' ').map(Number);
    ofHead.set(head, together(oneHead(attentionCase, b, h), part, alone));
  }
  return (output, flat, format) => {
    const [b = 0, h = 0, ...rest] = indexOf(shapes(output), flat);
    const one = ofHead.get(`${b} ${h}`);
    return one?.(output, placeOf(alone(output), [0, 0, ...rest]), format) ?? UNKNOWN;
  };
}

export const DOUBLE_LEVEL: Level = {
  name: doubleDoubleBall.arithmetic.name,
  enclose: (attentionCase, open, shapes, format) => {
    const by = byHead(attentionCase, open, shapes) ?? together(attentionCase, open, shapes);
    return (output, flat) => by(output, flat, format);
  },
};
