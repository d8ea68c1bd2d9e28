/**
 * Fault: the sink is in O’s denominator but not in the LSE handed out.
 * @module
 */

import { exp, log } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-not-in-lse',
  wrong: 'The sink is in O’s denominator but not in the LSE handed out.',
  seen: 'invented',
  shownBy: 'probe/all-rows-empty-but-a-sink',
  seams: () => {
    const without = new Map<number, number>();
    return {
      merge: (x, a, b, row, step) => {
        const merged = HONEST.merge(x, a, b, row, step);
        const key = rowIndex(x, row);
        if (step === 0 && a.lse === Number.NEGATIVE_INFINITY)
          without.set(key, x.inputs.sink === undefined ? merged.lse : Number.NEGATIVE_INFINITY);
        else {
          const old = without.get(key) ?? Number.NEGATIVE_INFINITY;
          const m = Math.max(old, b.lse);
          without.set(
            key,
            m === Number.NEGATIVE_INFINITY
              ? m
              : x.round.lse(m + log(exp(old - m) + exp(b.lse - m))),
          );
        }
        return merged;
      },
      finish: (x, { lse }) => {
        if (x.inputs.sink !== undefined)
          lse?.forEach((_, n) => {
            lse[n] = without.get(n) ?? 0;
          });
      },
    };
  },
};
