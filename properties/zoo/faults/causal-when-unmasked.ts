/**
 * Fault: without a mask, causal is switched on.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'causal-when-unmasked',
  wrong: 'Without a mask, causal is switched on.',
  seen: 'LVX-16',
  shownBy: 'feature/media',
  seams: () =>
    maskedAs((c) =>
      c.inputs.mask === undefined && c.parameters.causal === 'none'
        ? withParameters({ causal: 'top-left' })(c)
        : c,
    ),
};
