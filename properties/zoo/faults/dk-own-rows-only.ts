/**
 * Fault: dK collects the rank’s own rows only.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dk-own-rows-only',
  wrong: 'dK collects the rank’s own rows only.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-uneven',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_k' && 'source' in at && at.source !== at.home
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
