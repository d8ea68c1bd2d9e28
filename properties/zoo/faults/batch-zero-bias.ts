/**
 * Fault: every batch entry reads the bias of entry 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-zero-bias',
  wrong: 'Every batch entry reads the bias of entry 0.',
  seen: 'invented',
  shownBy: 'bias/2x4x5x11',
  seams: () => ({ bias: (x, at) => HONEST.bias(x, { ...at, b: 0 }) }),
};
