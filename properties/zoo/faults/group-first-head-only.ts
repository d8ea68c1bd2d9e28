/**
 * Fault: dK and dV are those of the first query head of each group.
 * @module
 */

import { kvHead } from '../../../reference/case/heads.ts';
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'group-first-head-only',
  wrong: 'dK and dV are those of the first query head of each group.',
  seen: 'LVX-8',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    gradientHead: (x, h) => (h % (x.p.heads / x.p.kv_heads) === 0 ? kvHead(x.p, h) : null),
  }),
};
