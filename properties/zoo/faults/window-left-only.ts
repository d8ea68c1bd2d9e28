/**
 * Fault: the right side of the window is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'window-left-only',
  wrong: 'The right side of the window is ignored.',
  seen: 'invented',
  shownBy: 'feature/window-gradients',
  seams: () =>
    maskedAs((c) =>
      c.parameters.window === null
        ? c
        : withParameters({ window: [c.parameters.window[0], -1] })(c),
    ),
};
