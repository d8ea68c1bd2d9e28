/**
 * Fault: the output is rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'output-in-f16',
  wrong: 'The output is rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/media-and-recompute',
  seams: () => ({ round: (honest) => ({ ...honest, output: to('f16') }) }),
};
