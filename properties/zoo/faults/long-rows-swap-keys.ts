/**
 * Fault: keys past position 255 are read 256 places too early (an 8-bit index).
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'long-rows-swap-keys',
  wrong: 'Keys past position 255 are read 256 places too early (an 8-bit index).',
  seen: 'invented',
  shownBy: 'size/1000-keys',
  seams: () => ({ value: (x, at, c) => HONEST.value(x, { ...at, j: at.j % 256 }, c) }),
};
