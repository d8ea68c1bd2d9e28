/**
 * Fault: dK is added to what the call before left in its buffer.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'stale-dk-buffer',
  wrong: 'dK is added to what the call before left in its buffer.',
  seen: 'R-14',
  shownBy: 'state/02',
  remembers: true,
  seams: () => {
    let before = new Float64Array(0);
    return {
      buffer: (x, name, size) => {
        if (name !== 'd_k') return HONEST.buffer(x, name, size);
        if (before.length !== size) before = new Float64Array(size);
        return before;
      },
    };
  },
};
