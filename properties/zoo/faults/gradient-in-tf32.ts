/**
 * Fault: sums of gradients are rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'gradient-in-tf32',
  wrong: 'Sums of gradients are rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/bias-and-causal-top-left',
  seams: () => ({ round: (honest) => ({ ...honest, gradient: to('tf32') }) }),
};
