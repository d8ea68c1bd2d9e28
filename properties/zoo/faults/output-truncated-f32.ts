/**
 * Fault: outputs are truncated to f32, not rounded.
 * @module
 */
import type { Fault } from '../fault.ts';
import { truncated } from '../host/precision.ts';

export const fault: Fault = {
  name: 'output-truncated-f32',
  wrong: 'Outputs are truncated to f32, not rounded.',
  seen: 'invented',
  shownBy: null,
  unseen:
    'One unit roundoff more than rounding. The float32 bound must allow several for the exponential, the sum and the division, whatever the order.',
  seams: () => ({
    round: (honest) => ({ ...honest, partial: (x) => x, output: truncated('f32') }),
  }),
};
