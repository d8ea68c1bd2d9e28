/**
 * Fault: the cotangent of the LSE is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dlse-ignored',
  wrong: 'The cotangent of the LSE is ignored.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({
    delta: (x, row, forward) =>
      x.round.delta(HONEST.delta(x, row, forward) - read(x.dLse, rowIndex(x, row))),
  }),
};
