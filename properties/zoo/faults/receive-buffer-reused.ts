/**
 * Fault: the receive buffer is overwritten while the previous hop still reads it: hop 2 sees hop 1’s keys.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'receive-buffer-reused',
  wrong:
    'The receive buffer is overwritten while the previous hop still reads it: hop 2 sees hop 1’s keys.',
  seen: 'R-13',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => ({ source: (x, home, step) => HONEST.source(x, home, step === 2 ? 1 : step) }),
};
