/**
 * Fault: odd ranks never meet their own keys.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'odd-ranks-skip-own',
  wrong: 'Odd ranks never meet their own keys.',
  seen: 'invented',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => ({
    source: (x, home, step) => HONEST.source(x, home, home % 2 === 1 && step === 0 ? 1 : step),
  }),
};
