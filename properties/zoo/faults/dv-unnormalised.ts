/**
 * Fault: dV is summed with weights that are normalised twice.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dv-unnormalised',
  wrong: 'dV is summed with weights that are normalised twice.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-window',
  seams: () => ({ valueWeight: (x, at, p) => HONEST.valueWeight(x, at, p * p) }),
};
