/**
 * The first level of the ladder: float64 balls from the WebAssembly kernels, for the rows and keys
 * of a sample. Outputs that the kernels leave out are left to the generic definition.
 * @module
 */

import type { AttentionCase, OutputName } from '../case/case.ts';
import type { Sample } from '../case/sampling.ts';
import { type CertifiedOutput, certifyWithMaxima } from '../kernels/float64/certify.ts';
import type { RowMaxima } from '../kernels/walk/head-rows.ts';
import type { End } from '../numbers/balls.ts';
import { type Enclosure, emptyRow, enclose, UNKNOWN } from '../numbers/enclosure.ts';
import { type FormatName, neighbours } from '../numbers/format.ts';

export const KERNEL_LEVEL = 'float64';

/** mid ± radius, each end moved one float64 outward for the rounding of that sum. */
function enclosureOf(format: FormatName, mid: number, radius: number): Enclosure {
  if (mid === Number.NEGATIVE_INFINITY && radius === 0) return emptyRow(format);
  if (!Number.isFinite(mid) || !(radius < Number.POSITIVE_INFINITY)) return UNKNOWN;
  const at = (near: number): End => ({ near, side: 0 });
  if (radius === 0) return enclose(format, at(mid), at(mid));
  const low = neighbours('f64', mid - radius).below;
  return enclose(format, at(low), at(neighbours('f64', mid + radius).above));
}

export interface KernelLevel {
  /** False for an output that is left to the generic definition. */
  readonly covers: (output: OutputName) => boolean;
  /** Encloses an element of the sample by its flat position there; null where nothing is said. */
  readonly enclose: (output: OutputName, flat: number) => Enclosure | null;
  readonly maxima: RowMaxima;
}

export function kernelLevel(
  attentionCase: AttentionCase,
  { rows, keys }: Sample,
  format: FormatName,
  threads = 1,
): KernelLevel {
  const { certified, maxima } = certifyWithMaxima(attentionCase, {
    threads,
    ...(rows === null ? {} : { rows }),
    ...(keys === null ? {} : { keys }),
  });
  const places = rows === null ? null : new Map(rows.map((i, n) => [i, n]));
  const count = rows?.length ?? attentionCase.parameters.seq_q;
  return {
    maxima: (head, row) => {
      const place = places === null ? row : places.get(row);
      return place === undefined ? undefined : maxima[head * count + place];
    },
    covers: (output) => certified[output] !== undefined,
    enclose: (output, flat) => {
      const one: CertifiedOutput | undefined = certified[output];
      if (one === undefined) return null;
      const [mid, radius] = [one.mid.data[flat], one.radius.data[flat]];
      return mid === undefined || radius === undefined ? UNKNOWN : enclosureOf(format, mid, radius);
    },
  };
}
