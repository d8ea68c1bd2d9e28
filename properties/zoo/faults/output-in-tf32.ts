/**
 * Fault: the output is rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'output-in-tf32',
  wrong: 'The output is rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'probe/lengths-and-more-queries',
  seams: () => ({ round: (honest) => ({ ...honest, output: to('tf32') }) }),
};
