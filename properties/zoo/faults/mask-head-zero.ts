/**
 * Fault: every head reads the mask of head 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'mask-head-zero',
  wrong: 'Every head reads the mask of head 0.',
  seen: 'invented',
  shownBy: 'mask/2x4x5x1',
  seams: () => ({ visible: (x, at) => HONEST.visible(x, { ...at, h: 0 }) }),
};
