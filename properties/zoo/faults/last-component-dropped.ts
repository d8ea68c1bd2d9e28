/**
 * Fault: the last component of an odd head dimension is left out of q·k.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'last-component-dropped',
  wrong: 'The last component of an odd head dimension is left out of q·k.',
  seen: 'invented',
  shownBy: 'shape/head-dim-7',
  seams: () => ({
    dot: (x, at) => {
      const last = x.p.head_dim - 1;
      const dropped = x.p.head_dim % 2 === 1 && last > 0;
      return dropped
        ? x.round.score(HONEST.dot(x, at) - x.seams.query(x, at, last) * x.seams.key(x, at, last))
        : HONEST.dot(x, at);
    },
  }),
};
