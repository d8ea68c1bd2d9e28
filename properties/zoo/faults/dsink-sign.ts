/**
 * Fault: dSink has the wrong sign.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dsink-sign',
  wrong: 'dSink has the wrong sign.',
  seen: 'invented',
  shownBy: 'pair/sink-and-media',
  seams: () => ({ dSink: (x, row, p, delta) => -HONEST.dSink(x, row, p, delta) }),
};
