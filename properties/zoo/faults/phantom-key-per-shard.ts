/**
 * Fault: every shard starts its sum at one: a phantom key at the maximum of each shard.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'phantom-key-per-shard',
  wrong: 'Every shard starts its sum at one: a phantom key at the maximum of each shard.',
  seen: 'LVX-1',
  shownBy: 'feature/media',
  seams: () => ({ running: (x) => ({ m: 0, l: 1, o: new Float64Array(x.p.head_dim_v) }) }),
};
