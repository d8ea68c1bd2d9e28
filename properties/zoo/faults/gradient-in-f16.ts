/**
 * Fault: sums of gradients are rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'gradient-in-f16',
  wrong: 'Sums of gradients are rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/media-and-recompute',
  seams: () => ({ round: (honest) => ({ ...honest, gradient: to('f16') }) }),
};
