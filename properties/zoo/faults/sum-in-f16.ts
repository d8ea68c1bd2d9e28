/**
 * Fault: the sum of exponentials is rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'sum-in-f16',
  wrong: 'The sum of exponentials is rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/gqa-and-bias',
  seams: () => ({ round: (honest) => ({ ...honest, sum: to('f16') }) }),
};
