/**
 * Fault: the backward pass ignores the window.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'window-missing-backward',
  wrong: 'The backward pass ignores the window.',
  seen: 'invented',
  shownBy: 'feature/window-gradients',
  seams: () => maskedAs(withParameters({ window: null }), 'backward'),
};
