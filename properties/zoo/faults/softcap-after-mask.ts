/**
 * Fault: the softcap turns the −∞ of masked keys into −c.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-after-mask',
  wrong: 'The softcap turns the −∞ of masked keys into −c.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-softcap',
  seams: () => ({ hidden: (x) => (x.p.softcap === 0 ? null : { s: -x.p.softcap, t: -1 }) }),
};
