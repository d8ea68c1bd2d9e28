/**
 * Fault: of an odd number of given parts the last is not merged.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'last-given-part-lost',
  wrong: 'Of an odd number of given parts the last is not merged.',
  seen: 'invented',
  shownBy: 'merge/three-parts',
  seams: () => ({
    part: (x, p, row) =>
      p > 0 && p % 2 === 0 && p === x.p.seq_kv - 1 ? HONEST.start(x, row) : HONEST.part(x, p, row),
  }),
};
