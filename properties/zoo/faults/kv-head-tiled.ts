/**
 * Fault: query head h reads KV head h mod Hkv, not ⌊h·Hkv/Hq⌋.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'kv-head-tiled',
  wrong: 'Query head h reads KV head h mod Hkv, not ⌊h·Hkv/Hq⌋.',
  seen: 'F-2',
  shownBy: 'exact/one-hot-groups',
  seams: () => ({ kvHead: (x, h) => h % x.p.kv_heads }),
};
