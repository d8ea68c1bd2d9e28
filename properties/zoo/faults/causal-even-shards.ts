/**
 * Fault: the causal mask computes a row’s position from an even split.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'causal-even-shards',
  wrong: 'The causal mask computes a row’s position from an even split.',
  seen: 'LVX-4',
  shownBy: 'probe/causal-uneven-ranks',
  seams: () => ({
    visible: (x, at) => {
      const size = Math.ceil(x.p.seq_q / x.p.partition.ranks);
      const i = at.home * size + at.i - (x.rows[at.home]?.start ?? 0);
      return x.p.causal === 'none' ? HONEST.visible(x, at) : HONEST.visible(x, { ...at, i });
    },
  }),
};
