/**
 * Fault: the cotangent of the LSE is taken for one of a base-2 LSE.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dlse-base-2',
  wrong: 'The cotangent of the LSE is taken for one of a base-2 LSE.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({
    delta: (x, row, forward) =>
      x.round.delta(
        HONEST.delta(x, row, forward) + (Math.LOG2E - 1) * read(x.dLse, rowIndex(x, row)),
      ),
  }),
};
