/**
 * Fault: P is uniform.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'uniform-weights',
  wrong: 'P is uniform.',
  seen: 'F-18',
  shownBy: 'pair/dropout-and-recompute',
  seams: () => ({ exponential: () => 1 }),
};
