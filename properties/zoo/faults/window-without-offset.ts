/**
 * Fault: under bottom-right alignment the window is not shifted.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'window-without-offset',
  wrong: 'Under bottom-right alignment the window is not shifted.',
  seen: 'invented',
  shownBy: 'probe/window-bottom-right',
  seams: () => ({
    visible: (x, at) => {
      const { window, causal, seq_q, seq_kv } = x.p;
      if (window === null || causal !== 'bottom-right') return HONEST.visible(x, at);
      const off = seq_kv - seq_q;
      const [left, right] = window;
      return (
        at.j <= at.i + off &&
        (left < 0 || at.i - left <= at.j) &&
        (right < 0 || at.j <= at.i + off + right)
      );
    },
  }),
};
