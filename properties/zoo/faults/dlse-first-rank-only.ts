/**
 * Fault: the cotangent of the LSE reaches rank 0’s keys only.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dlse-first-rank-only',
  wrong: 'The cotangent of the LSE reaches rank 0’s keys only.',
  seen: 'invented',
  shownBy: 'pair/dlse-and-uneven',
  seams: () => ({
    dScore: (x, at, p, g, delta) =>
      HONEST.dScore(x, at, p, g, at.source === 0 ? delta : delta - read(x.dLse, rowIndex(x, at))),
  }),
};
