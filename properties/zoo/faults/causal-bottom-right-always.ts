/**
 * Fault: top-left alignment is read as bottom-right.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'causal-bottom-right-always',
  wrong: 'Top-left alignment is read as bottom-right.',
  seen: 'F-1',
  shownBy: 'feature/causal-top-left-gradients',
  seams: () =>
    maskedAs((c) =>
      c.parameters.causal === 'none' ? c : withParameters({ causal: 'bottom-right' })(c),
    ),
};
