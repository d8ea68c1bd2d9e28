/**
 * Fault: dSink leaves out the cotangent of the LSE.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dsink-without-dlse',
  wrong: 'dSink leaves out the cotangent of the LSE.',
  seen: 'invented',
  shownBy: 'pair/sink-and-dlse',
  seams: () => ({
    dSink: (x, row, p, delta) => x.round.score(p * (delta - read(x.dLse, rowIndex(x, row)))),
  }),
};
