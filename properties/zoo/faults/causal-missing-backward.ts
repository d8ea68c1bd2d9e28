/**
 * Fault: the backward pass has no causal mask.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'causal-missing-backward',
  wrong: 'The backward pass has no causal mask.',
  seen: 'invented',
  shownBy: 'feature/causal-top-left-gradients',
  seams: () => maskedAs(withParameters({ causal: 'none' }), 'backward'),
};
