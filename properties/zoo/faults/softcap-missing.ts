/**
 * Fault: the softcap is left out.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-missing',
  wrong: 'The softcap is left out.',
  seen: 'invented',
  shownBy: 'pair/softcap-and-recompute',
  seams: () => ({ capped: (_x, raw) => ({ s: raw, t: null }) }),
};
