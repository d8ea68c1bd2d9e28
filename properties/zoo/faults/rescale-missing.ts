/**
 * Fault: older sums are not rescaled when the maximum rises.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'rescale-missing',
  wrong: 'Older sums are not rescaled when the maximum rises.',
  seen: 'invented',
  shownBy: 'pair/bias-and-media',
  seams: () => ({ rescale: () => 1 }),
};
