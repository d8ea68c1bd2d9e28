/**
 * Fault: masked keys score 100 less in place of −∞.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sentinel-hundred',
  wrong: 'Masked keys score 100 less in place of −∞.',
  seen: 'F-6',
  shownBy: 'feature/causal-top-left-gradients',
  seams: () => ({
    hidden: (x, at) => {
      const score = HONEST.scaled(x, at, x.seams.dot(x, at));
      return { s: score - 100, t: 0 };
    },
  }),
};
