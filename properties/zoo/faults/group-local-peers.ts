/**
 * Fault: peers are ranks within a group of two where the ring needs ranks of the whole.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'group-local-peers',
  wrong: 'Peers are ranks within a group of two where the ring needs ranks of the whole.',
  seen: 'R-11',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => ({
    source: (x, home, step) =>
      x.p.partition.ranks < 4
        ? HONEST.source(x, home, step)
        : Math.min(x.p.partition.ranks - 1, home - (home % 2) + (step % 2)),
  }),
};
