/**
 * Fault: rows of more than 512 keys lose key 512.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'long-rows-lose-a-key-512',
  wrong: 'Rows of more than 512 keys lose key 512.',
  seen: 'invented',
  shownBy: 'size/1000-keys',
  seams: () => ({ visible: (x, at) => HONEST.visible(x, at) && at.j !== 512 }),
};
