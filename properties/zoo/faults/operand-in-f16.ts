/**
 * Fault: Q, K, V and dO are rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'operand-in-f16',
  wrong: 'Q, K, V and dO are rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-recompute',
  seams: () => ({ round: (honest) => ({ ...honest, operand: to('f16') }) }),
};
