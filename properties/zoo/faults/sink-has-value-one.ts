/**
 * Fault: the sink has the value 1 in place of 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-has-value-one',
  wrong: 'The sink has the value 1 in place of 0.',
  seen: 'invented',
  shownBy: 'probe/all-rows-empty-but-a-sink',
  seams: () => ({
    sink: (x, row, step) => {
      const sink = HONEST.sink(x, row, step);
      return sink === null ? null : { ...sink, o: sink.o.map(() => 1) };
    },
  }),
};
