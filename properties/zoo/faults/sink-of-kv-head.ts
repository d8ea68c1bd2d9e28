/**
 * Fault: the sink is indexed by KV head.
 * @module
 */

import { kvHead } from '../../../reference/case/heads.ts';
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-of-kv-head',
  wrong: 'The sink is indexed by KV head.',
  seen: 'invented',
  shownBy: 'shape/no-keys-but-a-sink',
  seams: () => ({
    sink: (x, row, step) => HONEST.sink(x, { ...row, h: kvHead(x.p, row.h) }, step),
  }),
};
