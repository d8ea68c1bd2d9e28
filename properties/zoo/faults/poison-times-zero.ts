/**
 * Fault: A masked key is multiplied by zero, so its NaN leaks.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'poison-times-zero',
  wrong: 'A masked key is multiplied by zero, so its NaN leaks.',
  seen: 'F-6',
  shownBy: 'feature/media',
  seams: () => ({ hidden: () => ({ s: Number.NEGATIVE_INFINITY, t: 0 }) }),
};
