/**
 * Fault: the backward pass gets K and V with Hkv heads and indexes them by query head.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'kv-head-unexpanded-backward',
  wrong: 'The backward pass gets K and V with Hkv heads and indexes them by query head.',
  seen: 'LVX-8',
  shownBy: 'exact/one-hot-groups',
  seams: () => ({
    kvHead: (x, h, pass) =>
      pass === 'backward' ? Math.min(h, x.p.kv_heads - 1) : HONEST.kvHead(x, h, pass),
  }),
};
