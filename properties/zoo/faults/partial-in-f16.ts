/**
 * Fault: the partial output between ranks is rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'partial-in-f16',
  wrong: 'The partial output between ranks is rounded to f16 by a candidate that declares f32.',
  seen: 'R-15',
  shownBy: 'probe/lengths-and-more-queries',
  seams: () => ({ round: (honest) => ({ ...honest, partial: to('f16') }) }),
};
