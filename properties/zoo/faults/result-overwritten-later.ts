/**
 * Fault: dQ handed out is a view of a buffer that the next call overwrites.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'result-overwritten-later',
  wrong: 'dQ handed out is a view of a buffer that the next call overwrites.',
  seen: 'LVX-10',
  shownBy: null,
  unseen:
    'The protocol takes each answer before it asks the next question, so what becomes of an old result is never seen.',
  remembers: true,
  seams: () => {
    let shared = new Float64Array(0);
    return {
      finish: (_x, outputs) => {
        const { d_q } = outputs;
        if (d_q === undefined) return;
        if (shared.length !== d_q.length) shared = new Float64Array(d_q.length);
        shared.set(d_q);
        outputs.d_q = shared;
      },
    };
  },
};
