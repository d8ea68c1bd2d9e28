/**
 * Fault: the LSE is rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'lse-in-tf32',
  wrong: 'The LSE is rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'probe/shift-plus-300-gradients',
  seams: () => ({ round: (honest) => ({ ...honest, lse: to('tf32') }) }),
};
