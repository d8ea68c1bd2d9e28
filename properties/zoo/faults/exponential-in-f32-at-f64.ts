/**
 * Fault: exponentials are rounded to f32 at profile f64.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'exponential-in-f32-at-f64',
  wrong: 'Exponentials are rounded to f32 at profile f64.',
  seen: 'invented',
  profile: 'f64',
  shownBy: 'probe/shard-1-dominates',
  seams: () => ({ round: (honest) => ({ ...honest, exponential: Math.fround }) }),
};
