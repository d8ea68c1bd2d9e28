/**
 * Fault: the media mask is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';
import { maskedAs } from '../masking.ts';

export const fault: Fault = {
  name: 'media-ignored',
  wrong: 'The media mask is ignored.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () =>
    maskedAs((c) => {
      const { media_text: _, media_key: __, ...inputs } = c.inputs;
      return { ...c, parameters: { ...c.parameters, media: null }, inputs };
    }),
};
