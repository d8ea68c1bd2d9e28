/**
 * Fault: every batch entry reads the cotangent of entry 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-zero-cotangent',
  wrong: 'Every batch entry reads the cotangent of entry 0.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({ cotangent: (x, at, c) => HONEST.cotangent(x, { ...at, b: 0 }, c) }),
};
