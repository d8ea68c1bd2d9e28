/**
 * Fault: "immediate" is read as "previous".
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs, withParameters } from '../masking.ts';

export const fault: Fault = {
  name: 'media-immediate-is-previous',
  wrong: '"immediate" is read as "previous".',
  seen: 'invented',
  shownBy: 'model/openflamingo-recompute',
  seams: () =>
    maskedAs((c) => (c.parameters.media === null ? c : withParameters({ media: 'previous' })(c))),
};
