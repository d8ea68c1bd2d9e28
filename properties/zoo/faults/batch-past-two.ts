/**
 * Fault: batch entries from the third on read the second’s values.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-past-two',
  wrong: 'Batch entries from the third on read the second’s values.',
  seen: 'invented',
  shownBy: 'probe/bias-per-batch',
  seams: () => ({ value: (x, at, c) => HONEST.value(x, { ...at, b: Math.min(at.b, 1) }, c) }),
};
