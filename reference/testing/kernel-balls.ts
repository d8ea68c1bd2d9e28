/**
 * The float64 kernels of a whole case, in the form of a level of the ladder, for tests of containment.
 * @module
 */
import { UNKNOWN } from '../numbers/enclosure.ts';
import { kernelLevel } from '../oracle/kernel-level.ts';
import type { Level } from '../oracle/levels.ts';

export const kernelBalls: Level = {
  name: 'kernels',
  enclose: (attentionCase, _open, _shapes, format) => {
    const level = kernelLevel(attentionCase, { rows: null, keys: null }, format);
    return (output, flat) => level.enclose(output, flat) ?? UNKNOWN;
  },
};
