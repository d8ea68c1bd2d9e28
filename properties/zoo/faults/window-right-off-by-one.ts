/**
 * Fault: the window reaches one key more to the right.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'window-right-off-by-one',
  wrong: 'The window reaches one key more to the right.',
  seen: 'invented',
  shownBy: 'feature/window-gradients',
  seams: () =>
    maskedAs((c) => {
      const { window } = c.parameters;
      return window === null || window[1] < 0
        ? c
        : withParameters({ window: [window[0], window[1] + 1] })(c);
    }),
};
