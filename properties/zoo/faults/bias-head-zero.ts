/**
 * Fault: every head reads the bias of head 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'bias-head-zero',
  wrong: 'Every head reads the bias of head 0.',
  seen: 'F-10',
  shownBy: 'bias/1x4x5x11',
  seams: () => ({ bias: (x, at) => HONEST.bias(x, { ...at, h: 0 }) }),
};
