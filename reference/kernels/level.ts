/**
 * The fast kernels as a level of the oracle's ladder.
 *
 * What they do not bound stays open and climbs on. Their balls never have radius zero, so exact
 * answers are left to the later levels.
 * @module
 */
import type { AttentionCase, OutputName } from '../case.ts';
import { type Enclosure, emptyRow, enclose, UNKNOWN } from '../enclosure.ts';
import type { FormatName } from '../format.ts';
import type { OpenElements } from '../open-elements.ts';
import { elementCount, indexOf } from '../tensor.ts';
import { type Certified, certify } from './certify.ts';

const U = 2 ** -53;
/** Below mid − radius as computed: one rounding, u of its result, or a subnormal's last place. */
const below = (x: number): number => x - (Math.abs(x) * 2 * U + 2 ** -1074);

const BY_ROW: readonly OutputName[] = ['out', 'lse', 'd_q'];
const BY_KEY: readonly OutputName[] = ['d_k', 'd_v'];

/** Positions along the third axis of the open elements of some outputs; null = all of an axis. */
function positions(
  open: OpenElements,
  names: readonly OutputName[],
  shapes: (output: OutputName) => readonly number[],
): number[] | null {
  const found = new Set<number>();
  for (const name of names) {
    const flats = open.get(name);
    if (flats === undefined) continue;
    const shape = shapes(name);
    if (flats.length === elementCount(shape)) return null;
    for (const flat of flats) found.add(indexOf(shape, flat)[2] ?? 0);
  }
  return [...found].sort((a, b) => a - b);
}

/** Encloses what is open by the kernels, on the rows and keys that are open. */
export function encloseByKernels(
  attentionCase: AttentionCase,
  open: OpenElements,
  shapes: (output: OutputName) => readonly number[],
  format: FormatName,
): (output: OutputName, flat: number) => Enclosure {
  const wants = [...open.keys()];
  const rows = positions(open, BY_ROW, shapes);
  const keys = positions(open, BY_KEY, shapes);
  const sums = wants.some((name) => !BY_ROW.includes(name) && !BY_KEY.includes(name));
  const whole = sums || (rows === null && keys === null);
  const part: AttentionCase = {
    ...attentionCase,
    parameters: { ...attentionCase.parameters, wants },
  };
  const chosen = { rows: rows ?? undefined, keys: keys ?? undefined };
  const certified: Certified = certify(part, { system: 'float64', ...(whole ? {} : chosen) });
  /** Where a position of the whole output lies in the part that was computed. */
  const place = (output: OutputName, flat: number): number => {
    const list = BY_ROW.includes(output) ? rows : keys;
    if (whole || list === null) return flat;
    const shape = shapes(output);
    const [b = 0, h = 0, n = 0, c = 0] = indexOf(shape, flat);
    const [, heads = 1, , width = 1] = shape;
    return ((b * heads + h) * list.length + list.indexOf(n)) * width + c;
  };
  return (output, flat) => {
    const found = certified[output];
    if (found === undefined) return UNKNOWN;
    const at = place(output, flat);
    const [mid, radius] = [found.mid.data[at] ?? 0, found.radius.data[at] ?? 0];
    if (mid === Number.NEGATIVE_INFINITY && radius === 0) return emptyRow(format);
    if (!(radius < Number.POSITIVE_INFINITY)) return UNKNOWN;
    const [low, high] = [below(mid - radius), -below(-(mid + radius))];
    return enclose(format, { near: low, side: 0 }, { near: high, side: 0 });
  };
}
