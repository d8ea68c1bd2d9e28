/**
 * Fault: the partial output between ranks is kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'partial-in-bf16-at-bf16',
  wrong: 'The partial output between ranks is kept in bf16, not in f32, at profile bf16.',
  seen: 'R-15',
  profile: 'bf16',
  shownBy: 'probe/partials-stand-still',
  seams: () => ({ round: (honest) => ({ ...honest, partial: to('bf16') }) }),
};
