/**
 * Fault: the window reaches one key less to the left.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'window-left-off-by-one',
  wrong: 'The window reaches one key less to the left.',
  seen: 'invented',
  shownBy: 'probe/window-left',
  seams: () =>
    maskedAs((c) => {
      const { window } = c.parameters;
      return window === null || window[0] < 1
        ? c
        : withParameters({ window: [window[0] - 1, window[1]] })(c);
    }),
};
