/**
 * Fault: components past the 64th are left out of q·k.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'components-past-64',
  wrong: 'Components past the 64th are left out of q·k.',
  seen: 'invented',
  shownBy: 'shape/head-dim-111',
  seams: () => ({
    dot: (x, at) => {
      let sum = 0;
      for (let c = 0; c < Math.min(64, x.p.head_dim); c++)
        sum += x.seams.query(x, at, c) * x.seams.key(x, at, c);
      return x.round.score(sum);
    },
  }),
};
