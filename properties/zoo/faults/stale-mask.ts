/**
 * Fault: A compiled mask is cached by the shapes of the case.
 * @module
 */

import type { Visibility } from '../../../reference/case/mask.ts';
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'stale-mask',
  wrong: 'A compiled mask is cached by the shapes of the case.',
  seen: 'invented',
  shownBy: 'state/06',
  remembers: true,
  seams: () => {
    const cache = new Map<string, Visibility>();
    let current: Visibility = () => true;
    return {
      begin: (x) => {
        const { batch, heads, seq_q, seq_kv, causal, media } = x.p;
        const words = Object.keys(x.inputs).join();
        const key = [batch, heads, seq_q, seq_kv, causal, media, words].join();
        current = cache.get(key) ?? x.visible;
        cache.set(key, current);
      },
      visible: (_x, { b, h, i, j }) => current(b, h, i, j),
    };
  },
};
