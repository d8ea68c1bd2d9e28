/**
 * Fault: the causal mask is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'causal-missing',
  wrong: 'The causal mask is ignored.',
  seen: 'invented',
  shownBy: 'feature/causal-top-left-gradients',
  seams: () => maskedAs(withParameters({ causal: 'none' })),
};
