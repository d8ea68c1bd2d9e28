/**
 * What schedules have in common: how keys are prepared and their gradients kept, and exchanges.
 * @module
 */
import type { Partition } from '../../reference/case.ts';
import type { Direction, Operation } from '../schedule.ts';

export interface ScheduleOptions {
  /** Keys and values are recomputed from features in every pass. */
  readonly recompute?: boolean;
}

/** Every rank's list. */
export function eachRank(
  { ranks }: Partition,
  list: (rank: number, n: number) => Operation[],
): Operation[][] {
  return Array.from({ length: ranks }, (_, rank) => list(rank, ranks));
}

/** The rank's own keys into "keys"; backward their gradients' sums into "sums". */
export function prepareKeys(direction: Direction, { recompute }: ScheduleOptions): Operation[] {
  const list: Operation[] = [{ op: recompute ? 'recomputeKV' : 'loadKeys', into: 'keys' }];
  if (direction === 'backward') list.push({ op: 'initGradients', into: 'sums', like: 'keys' });
  return list;
}

/** Backward: the rank's own dK and dV, in `buffer`, are whole. */
export function finishKeys(
  direction: Direction,
  { recompute }: ScheduleOptions,
  buffer = 'sums',
): Operation[] {
  if (direction === 'forward') return [];
  const list: Operation[] = [{ op: 'finish', buffer }];
  if (recompute) list.push({ op: 'projectGradients' });
  return list;
}
