/**
 * Fault: text before the first image attends to everything.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'media-text-zero-sees-all',
  wrong: 'Text before the first image attends to everything.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) ||
      (x.p.media !== null &&
        read(x.inputs.media_text?.data ?? new Float64Array(), at.b * x.p.seq_q + at.i) === 0),
  }),
};
