/**
 * Fault: natural LSEs of given parts are taken for LSEs to base 2.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'given-lse-base-2',
  wrong: 'Natural LSEs of given parts are taken for LSEs to base 2.',
  seen: 'invented',
  shownBy: 'merge/two-parts',
  seams: () => ({
    part: (x, p, row) => {
      const { lse, o } = HONEST.part(x, p, row);
      return { lse: x.round.lse(lse * Math.LN2), o };
    },
  }),
};
