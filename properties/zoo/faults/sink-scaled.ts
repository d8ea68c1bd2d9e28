/**
 * Fault: the sink is scaled like a score.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-scaled',
  wrong: 'The sink is scaled like a score.',
  seen: 'invented',
  shownBy: 'shape/no-keys-but-a-sink',
  seams: () => ({
    sink: (x, row, step) => {
      const sink = HONEST.sink(x, row, step);
      return sink === null ? null : { ...sink, lse: x.round.lse(sink.lse * x.p.scale) };
    },
  }),
};
