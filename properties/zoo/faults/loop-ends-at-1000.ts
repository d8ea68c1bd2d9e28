/**
 * Fault: A loop over keys ends after 1000 rounds, silently.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'loop-ends-at-1000',
  wrong: 'A loop over keys ends after 1000 rounds, silently.',
  seen: 'GPU.js 2.24',
  shownBy: 'size/4096-keys',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return { start, stop: Math.min(stop, start + 1000) };
    },
  }),
};
