/**
 * Fault: the window compares positions within a pair of blocks.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'window-local',
  wrong: 'The window compares positions within a pair of blocks.',
  seen: 'LVX-4',
  shownBy: 'probe/window-0-all-none-ranks',
  seams: () => ({
    visible: (x, at) => {
      const { window } = x.p;
      if (window === null) return HONEST.visible(x, at);
      return (
        HONEST.visible(x, at) &&
        (window[0] < 0 ||
          at.i - (x.rows[at.home]?.start ?? 0) - window[0] <=
            at.j - (x.keys[at.source]?.start ?? 0))
      );
    },
  }),
};
