/**
 * Fault: an exhausted iterator: the backward pass meets the first shard only.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'backward-first-shard-only',
  wrong: 'An exhausted iterator: the backward pass meets the first shard only.',
  seen: 'B-13',
  shownBy: 'exact/one-hot-ranks',
  seams: () => ({
    keyRange: (x, source, pass, home) =>
      pass === 'backward' && source !== home
        ? { start: 0, stop: 0 }
        : HONEST.keyRange(x, source, pass, home),
  }),
};
