/**
 * Fault: dV is that of the last query head of each group.
 * @module
 */

import { kvHead } from '../../../reference/case/heads.ts';
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'group-last-head-only',
  wrong: 'dV is that of the last query head of each group.',
  seen: 'LVX-8',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    gradientHead: (x, h, name) =>
      name === 'd_k' || (h + 1) % (x.p.heads / x.p.kv_heads) === 0 ? kvHead(x.p, h) : null,
  }),
};
