/**
 * Fault: "previous" is read as "immediate".
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'media-previous-is-immediate',
  wrong: '"previous" is read as "immediate".',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-media',
  seams: () =>
    maskedAs((c) => (c.parameters.media === null ? c : withParameters({ media: 'immediate' })(c))),
};
