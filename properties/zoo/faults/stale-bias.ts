/**
 * Fault: A receive buffer keyed on Q’s shape keeps the bias of the call before.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'stale-bias',
  wrong: 'A receive buffer keyed on Q’s shape keeps the bias of the call before.',
  seen: 'LVX-9',
  shownBy: 'state/08',
  remembers: true,
  seams: () => {
    let [key, before]: [string, Float64Array] = ['', new Float64Array(0)];
    return {
      begin: (x) => {
        const { bias } = x.inputs;
        if (bias === undefined) return;
        const own = bias.data.slice();
        const shape = `${x.p.batch},${x.p.heads},${x.p.seq_q},${x.p.head_dim}`;
        if (shape === key && before.length === own.length) bias.data.set(before);
        [key, before] = [shape, own];
      },
    };
  },
};
