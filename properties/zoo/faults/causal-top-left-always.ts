/**
 * Fault: bottom-right alignment is read as top-left.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'causal-top-left-always',
  wrong: 'Bottom-right alignment is read as top-left.',
  seen: 'F-1',
  shownBy: 'probe/causal-bottom-right-more-queries',
  seams: () =>
    maskedAs((c) =>
      c.parameters.causal === 'none' ? c : withParameters({ causal: 'top-left' })(c),
    ),
};
