/**
 * Fault: masked keys score −10⁴ in place of −∞.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'sentinel-ten-thousand',
  wrong: 'Masked keys score −10⁴ in place of −∞.',
  seen: 'F-6',
  shownBy: 'feature/media',
  seams: () => ({ hidden: () => ({ s: -1e4, t: 0 }) }),
};
