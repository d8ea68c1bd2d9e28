/**
 * Fault: the partial output between ranks is rounded to f32 at profile f64.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'partial-in-f32-at-f64',
  wrong: 'The partial output between ranks is rounded to f32 at profile f64.',
  seen: 'invented',
  profile: 'f64',
  shownBy: 'pair/causal-top-left-and-media',
  seams: () => ({ round: (honest) => ({ ...honest, partial: Math.fround }) }),
};
