/**
 * Fault: the backward pass ignores the media mask.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs } from '../masking.ts';

export const fault: Fault = {
  name: 'media-missing-backward',
  wrong: 'The backward pass ignores the media mask.',
  seen: 'invented',
  shownBy: 'probe/media-before-first-image',
  seams: () =>
    maskedAs((c) => {
      const { media_text: _, media_key: __, ...inputs } = c.inputs;
      return { ...c, parameters: { ...c.parameters, media: null }, inputs };
    }, 'backward'),
};
