/**
 * Fault: the scale’s exponent has the wrong sign.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-inverted',
  wrong: 'The scale’s exponent has the wrong sign.',
  seen: 'F-16',
  shownBy: 'probe/large-scores-small-scale',
  seams: () => ({ scale: (x) => (x.p.scale === 0 ? 0 : 1 / x.p.scale) }),
};
