/**
 * Fault: P is rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'probability-in-f16',
  wrong: 'P is rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/window-and-recompute',
  seams: () => ({ round: (honest) => ({ ...honest, probability: to('f16') }) }),
};
