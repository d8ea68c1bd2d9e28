/**
 * Fault: D is rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'delta-in-tf32',
  wrong: 'D is rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/gqa-and-causal-top-left',
  seams: () => ({ round: (honest) => ({ ...honest, delta: to('tf32') }) }),
};
