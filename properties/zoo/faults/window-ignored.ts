/**
 * Fault: the window is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'window-ignored',
  wrong: 'The window is ignored.',
  seen: 'invented',
  shownBy: 'feature/window-gradients',
  seams: () => maskedAs(withParameters({ window: null })),
};
