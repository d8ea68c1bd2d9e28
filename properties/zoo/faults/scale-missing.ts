/**
 * Fault: the scale is left out.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-missing',
  wrong: 'The scale is left out.',
  seen: 'F-16',
  shownBy: 'probe/scale-zero',
  seams: () => ({ scale: () => 1 }),
};
