/**
 * Fault: "previous" leaves out the text’s own image.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'media-previous-strict',
  wrong: '"previous" leaves out the text’s own image.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) &&
      (x.p.media !== 'previous' ||
        read(x.inputs.media_text?.data ?? new Float64Array(), at.b * x.p.seq_q + at.i) >
          read(x.inputs.media_key?.data ?? new Float64Array(), at.b * x.p.seq_kv + at.j)),
  }),
};
