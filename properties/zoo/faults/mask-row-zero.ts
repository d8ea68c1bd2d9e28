/**
 * Fault: every row reads the mask of row 0 (a broadcast axis of stride 0).
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'mask-row-zero',
  wrong: 'Every row reads the mask of row 0 (a broadcast axis of stride 0).',
  seen: 'F-9',
  shownBy: 'probe/some-rows-empty',
  seams: () => ({
    visible: (x, at) =>
      x.inputs.mask === undefined ? HONEST.visible(x, at) : HONEST.visible(x, { ...at, i: 0 }),
  }),
};
