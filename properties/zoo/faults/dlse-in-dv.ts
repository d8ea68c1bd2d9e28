/**
 * Fault: the cotangent of the LSE leaks into dV.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dlse-in-dv',
  wrong: 'The cotangent of the LSE leaks into dV.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({
    valueWeight: (x, at, p) => HONEST.valueWeight(x, at, p) * (1 + read(x.dLse, rowIndex(x, at))),
  }),
};
