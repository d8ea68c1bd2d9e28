/**
 * Fault: the sum of exponentials is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'sum-in-bf16',
  wrong: 'The sum of exponentials is rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'size/4096-keys',
  seams: () => ({ round: (honest) => ({ ...honest, sum: to('bf16') }) }),
};
