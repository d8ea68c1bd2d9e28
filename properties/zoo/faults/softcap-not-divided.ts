/**
 * Fault: c·tanh(s) in place of c·tanh(s/c).
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'softcap-not-divided',
  wrong: 'c·tanh(s) in place of c·tanh(s/c).',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-softcap',
  seams: () => ({ capped: (x, raw) => HONEST.capped(x, raw * (x.p.softcap || 1)) }),
};
