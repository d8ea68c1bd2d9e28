/**
 * Fault: A tile’s tail past the end of a shard counts as zero keys with zero values.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-keys-zero',
  wrong: 'A tile’s tail past the end of a shard counts as zero keys with zero values.',
  seen: 'LVX-6',
  shownBy: 'shape/keys-17-one-rank',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return pass === 'forward'
        ? { start, stop: start + Math.ceil((stop - start) / 4) * 4 }
        : { start, stop };
    },
    score: (x, at) =>
      at.j >= (x.keys[at.source]?.stop ?? 0) ? { s: 0, t: 0 } : HONEST.score(x, at),
    value: (x, at, c) => (at.j >= (x.keys[at.source]?.stop ?? 0) ? 0 : HONEST.value(x, at, c)),
  }),
};
