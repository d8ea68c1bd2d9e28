/**
 * Fault: key lengths cut off queries as well.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'lengths-on-queries',
  wrong: 'Key lengths cut off queries as well.',
  seen: 'F-19',
  shownBy: 'probe/lengths-and-more-queries',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) &&
      (x.inputs.kv_lengths === undefined || at.i < read(x.inputs.kv_lengths.data, at.b)),
  }),
};
