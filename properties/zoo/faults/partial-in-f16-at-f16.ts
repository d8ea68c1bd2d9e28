/**
 * Fault: the partial output between ranks is kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'partial-in-f16-at-f16',
  wrong: 'The partial output between ranks is kept in f16, not in f32, at profile f16.',
  seen: 'R-15',
  profile: 'f16',
  shownBy: 'probe/partials-stand-still',
  seams: () => ({ round: (honest) => ({ ...honest, partial: to('f16') }) }),
};
