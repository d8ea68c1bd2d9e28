/**
 * Fault: every batch entry reads the values of entry 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-zero-values',
  wrong: 'Every batch entry reads the values of entry 0.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-sink',
  seams: () => ({ value: (x, at, c) => HONEST.value(x, { ...at, b: 0 }, c) }),
};
