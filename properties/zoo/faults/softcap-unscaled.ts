/**
 * Fault: tanh(s/c) is not multiplied by c again.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'softcap-unscaled',
  wrong: 'tanh(s/c) is not multiplied by c again.',
  seen: 'invented',
  shownBy: 'probe/softcap-strong',
  seams: () => ({
    capped: (x, raw) => {
      const { s, t } = HONEST.capped(x, raw);
      return { s: t ?? s, t };
    },
  }),
};
