/**
 * Fault: the mask is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withoutInputs } from '../masking.ts';

export const fault: Fault = {
  name: 'mask-dropped',
  wrong: 'The mask is ignored.',
  seen: 'LVX-16',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => maskedAs(withoutInputs('mask')),
};
