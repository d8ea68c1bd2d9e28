/**
 * Fault: dV collects the rank’s own rows only.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dv-own-rows-only',
  wrong: 'dV collects the rank’s own rows only.',
  seen: 'invented',
  shownBy: 'exact/one-hot-ranks',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_v' && 'source' in at && at.source !== at.home
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
