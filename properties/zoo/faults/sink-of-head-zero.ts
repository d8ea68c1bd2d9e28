/**
 * Fault: every head has the sink of head 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-of-head-zero',
  wrong: 'Every head has the sink of head 0.',
  seen: 'invented',
  shownBy: 'pair/sink-and-media',
  seams: () => ({ sink: (x, row, step) => HONEST.sink(x, { ...row, h: 0 }, step) }),
};
