/**
 * The level of the ladder between the float64 kernels and the definition over double-double balls: the
 * kernels in double-double, for the rows and keys that open elements belong to.
 * @module
 */
import { doubleDoubleBall } from './arithmetic/balls.ts';
import type { OutputName } from './case.ts';
import { emptyRow, enclose, UNKNOWN } from './enclosure.ts';
import { certifyDouble } from './kernels/double-certify.ts';
import type { Level } from './levels.ts';
import type { OpenElements } from './open-elements.ts';
import { elementCount, indexOf } from './tensor.ts';

const BY_ROW: readonly OutputName[] = ['out', 'lse', 'd_q'];
const BY_KEY: readonly OutputName[] = ['d_k', 'd_v'];

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

export const DOUBLE_LEVEL: Level = {
  name: doubleDoubleBall.arithmetic.name,
  enclose: (attentionCase, open, shapes, format) => {
    const wants = [...BY_ROW, ...BY_KEY].filter((name) => (open.get(name)?.length ?? 0) > 0);
    if (wants.length === 0) return () => UNKNOWN;
    const [rows, keys] = [positions(open, BY_ROW, shapes), positions(open, BY_KEY, shapes)];
    const parameters = { ...attentionCase.parameters, wants };
    const certified = certifyDouble({ ...attentionCase, parameters }, { rows, keys });
    const places = (list: readonly number[]) => new Map(list.map((at, n) => [at, n]));
    const [rowPlaces, keyPlaces] = [places(rows), places(keys)];
    return (output, flat) => {
      const found = certified[output];
      if (found === undefined) return UNKNOWN;
      const shape = shapes(output);
      const [b = 0, h = 0, i = 0, c = 0] = indexOf(shape, flat);
      const byRow = BY_ROW.includes(output);
      const place = (byRow ? rowPlaces : keyPlaces).get(i);
      if (place === undefined) return UNKNOWN;
      const count = byRow ? rows.length : keys.length;
      const width = elementCount(shape.slice(3));
      const at = ((b * (shape[1] ?? 0) + h) * count + place) * width + c;
      const [hi = Number.NaN, lo = Number.NaN] = [found.high[at], found.low[at]];
      const rad = found.radius[at] ?? Number.POSITIVE_INFINITY;
      if (hi === Number.NEGATIVE_INFINITY && rad === 0) return emptyRow(format);
      const ends = doubleDoubleBall.ends({ mid: { hi, lo }, rad });
      return ends === null ? UNKNOWN : enclose(format, ends.low, ends.high);
    };
  },
};
