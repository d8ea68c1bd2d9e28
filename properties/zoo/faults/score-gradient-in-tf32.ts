/**
 * Fault: dS is rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-gradient-in-tf32',
  wrong: 'dS is rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/causal-bottom-right-and-media',
  seams: () => ({ round: (honest) => ({ ...honest, scoreGradient: to('tf32') }) }),
};
