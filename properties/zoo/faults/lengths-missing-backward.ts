/**
 * Fault: the backward pass ignores key lengths.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withoutInputs } from '../masking.ts';

export const fault: Fault = {
  name: 'lengths-missing-backward',
  wrong: 'The backward pass ignores key lengths.',
  seen: 'invented',
  shownBy: 'feature/varlen-gradients',
  seams: () => maskedAs(withoutInputs('kv_lengths'), 'backward'),
};
