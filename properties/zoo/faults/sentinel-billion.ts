/**
 * Fault: masked keys score −10⁹ in place of −∞.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'sentinel-billion',
  wrong: 'Masked keys score −10⁹ in place of −∞.',
  seen: 'F-6',
  shownBy: 'feature/media',
  seams: () => ({ hidden: () => ({ s: -1e9, t: 0 }) }),
};
