/**
 * Fault: P is rounded to fp8 (e4m3) by a candidate that declares bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'probability-in-fp8',
  wrong: 'P is rounded to fp8 (e4m3) by a candidate that declares bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'size/1000-keys',
  seams: () => ({ round: (honest) => ({ ...honest, probability: to('fp8-e4m3') }) }),
};
