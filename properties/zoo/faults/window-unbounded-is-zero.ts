/**
 * Fault: A side of −1 is read as 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'window-unbounded-is-zero',
  wrong: 'A side of −1 is read as 0.',
  seen: 'invented',
  shownBy: 'probe/window-right',
  seams: () =>
    maskedAs((c) => {
      const { window } = c.parameters;
      return window === null
        ? c
        : withParameters({ window: [Math.max(0, window[0]), Math.max(0, window[1])] })(c);
    }),
};
