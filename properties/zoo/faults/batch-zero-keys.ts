/**
 * Fault: every batch entry reads the keys of entry 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'batch-zero-keys',
  wrong: 'Every batch entry reads the keys of entry 0.',
  seen: 'invented',
  shownBy: 'pair/mask-and-media',
  seams: () => ({ key: (x, at, c) => HONEST.key(x, { ...at, b: 0 }, c) }),
};
