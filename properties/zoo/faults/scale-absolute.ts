/**
 * Fault: the sign of the scale is lost.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-absolute',
  wrong: 'The sign of the scale is lost.',
  seen: 'invented',
  shownBy: 'probe/scale-negative',
  seams: () => ({ scale: (x) => Math.abs(x.round.score(x.p.scale)) }),
};
