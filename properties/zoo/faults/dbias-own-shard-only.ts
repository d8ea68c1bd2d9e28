/**
 * Fault: dBias collects the rank’s own keys only.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dbias-own-shard-only',
  wrong: 'dBias collects the rank’s own keys only.',
  seen: 'invented',
  shownBy: 'pair/bias-and-uneven',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_bias' && 'source' in at && at.source !== at.home
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
