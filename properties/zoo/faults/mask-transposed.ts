/**
 * Fault: the mask is read with rows and keys exchanged where it is square.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'mask-transposed',
  wrong: 'The mask is read with rows and keys exchanged where it is square.',
  seen: 'F-9',
  shownBy: 'mask/square-1x1x6x6',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(
        x,
        x.inputs.mask !== undefined && x.p.seq_q === x.p.seq_kv ? { ...at, i: at.j, j: at.i } : at,
      ),
  }),
};
