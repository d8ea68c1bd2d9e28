/**
 * Fault: dSink is zero.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dsink-zero',
  wrong: 'dSink is zero.',
  seen: 'invented',
  shownBy: 'pair/sink-and-media',
  seams: () => ({ dSink: () => 0 }),
};
