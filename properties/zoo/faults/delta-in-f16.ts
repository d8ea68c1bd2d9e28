/**
 * Fault: D is rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'delta-in-f16',
  wrong: 'D is rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/gqa-and-causal-top-left',
  seams: () => ({ round: (honest) => ({ ...honest, delta: to('f16') }) }),
};
