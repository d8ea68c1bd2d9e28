/**
 * Fault: the cotangent of the LSE has the wrong sign.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dlse-sign',
  wrong: 'The cotangent of the LSE has the wrong sign.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({
    delta: (x, row, forward) =>
      x.round.delta(HONEST.delta(x, row, forward) - 2 * read(x.dLse, rowIndex(x, row))),
  }),
};
