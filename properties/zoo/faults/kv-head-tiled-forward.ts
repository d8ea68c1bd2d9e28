/**
 * Fault: the forward pass alone reads KV head h mod Hkv.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'kv-head-tiled-forward',
  wrong: 'The forward pass alone reads KV head h mod Hkv.',
  seen: 'F-2',
  shownBy: 'exact/one-hot-groups',
  seams: () => ({
    kvHead: (x, h, pass) => (pass === 'forward' ? h % x.p.kv_heads : HONEST.kvHead(x, h, pass)),
  }),
};
