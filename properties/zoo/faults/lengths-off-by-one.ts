/**
 * Fault: one key past each length is read.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'lengths-off-by-one',
  wrong: 'One key past each length is read.',
  seen: 'invented',
  shownBy: 'feature/varlen-gradients',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) ||
      (x.inputs.kv_lengths !== undefined &&
        at.j > 0 &&
        at.j === read(x.inputs.kv_lengths.data, at.b) &&
        HONEST.visible(x, { ...at, j: at.j - 1 })),
  }),
};
