/**
 * Fault: outputs below 10⁻³ are flushed to zero.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'output-flushed',
  wrong: 'Outputs below 10⁻³ are flushed to zero.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-sink',
  seams: () => ({
    round: (honest) => ({ ...honest, output: (x) => (Math.abs(x) < 1e-3 ? 0 : honest.output(x)) }),
  }),
};
