/**
 * Fault: key lengths are ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withoutInputs } from '../masking.ts';

export const fault: Fault = {
  name: 'lengths-ignored',
  wrong: 'Key lengths are ignored.',
  seen: 'invented',
  shownBy: 'feature/varlen-gradients',
  seams: () => maskedAs(withoutInputs('kv_lengths')),
};
