/**
 * Fault: no maximum is subtracted.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'maximum-missing',
  wrong: 'No maximum is subtracted.',
  seen: 'invented',
  shownBy: 'probe/keys-far-below-zero',
  seams: () => ({ maximum: () => 0 }),
};
