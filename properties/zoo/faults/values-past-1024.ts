/**
 * Fault: values past key 1023 are read 1024 places too early.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'values-past-1024',
  wrong: 'Values past key 1023 are read 1024 places too early.',
  seen: 'invented',
  shownBy: 'size/4096-keys',
  seams: () => ({ value: (x, at, c) => HONEST.value(x, { ...at, j: at.j % 1024 }, c) }),
};
