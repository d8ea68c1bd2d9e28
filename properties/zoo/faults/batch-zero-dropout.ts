/**
 * Fault: every batch entry reads the dropout mask of entry 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-zero-dropout',
  wrong: 'Every batch entry reads the dropout mask of entry 0.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dropout',
  seams: () => ({ kappa: (x, at) => HONEST.kappa(x, { ...at, b: 0 }) }),
};
