/**
 * Fault: the backward pass ignores the mask.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withoutInputs } from '../masking.ts';

export const fault: Fault = {
  name: 'mask-missing-backward',
  wrong: 'The backward pass ignores the mask.',
  seen: 'invented',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => maskedAs(withoutInputs('mask'), 'backward'),
};
