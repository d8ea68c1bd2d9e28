/**
 * Fault: P is truncated to bf16, not rounded.
 * @module
 */
import type { Fault } from '../fault.ts';
import { truncated } from '../host/precision.ts';

export const fault: Fault = {
  name: 'probability-truncated-bf16',
  wrong: 'P is truncated to bf16, not rounded.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: null,
  unseen:
    'Truncation costs at most two unit roundoffs where rounding costs one, and honest implementations of the profile may round P and the output, which is two as well: no bound that lets those pass can refuse it.',
  seams: () => ({ round: (honest) => ({ ...honest, probability: truncated('bf16') }) }),
};
