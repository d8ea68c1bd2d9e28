/**
 * Fault: every batch entry reads the masks of entry 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-zero-mask',
  wrong: 'Every batch entry reads the masks of entry 0.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({ visible: (x, at) => HONEST.visible(x, { ...at, b: 0 }) }),
};
