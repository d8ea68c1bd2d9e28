/**
 * The schedules that the protocol check is about: a further one is a line in this list.
 * @module
 */
import type { Direction, Schedule } from '../../gpu/schedule.ts';
import { lvXattnSchedule } from '../../gpu/schedules/lv-xattn.ts';

export const SCHEDULES: Readonly<Record<string, typeof lvXattnSchedule>> = {
  'lv-xattn': lvXattnSchedule,
};

export const RANKS = [1, 2, 3, 4, 5, 6] as const;

/** A pass alone, and passes that follow one another without a barrier. */
export const PASSES: readonly (readonly Direction[])[] = [
  ['forward'],
  ['backward'],
  ['forward', 'backward'],
  ['forward', 'backward', 'forward'],
];

/** Passes done again, on the ranks up to this many: every sum must start anew. */
export const REPEATED_RANKS_MAX = 4;
export const REPEATED: readonly (readonly Direction[])[] = [
  ['forward', 'backward', 'forward', 'backward'],
  ['forward', 'backward', 'backward'],
  ['forward', 'forward', 'backward'],
];

/** Uneven blocks; from two ranks on one of each kind is empty. */
export const unevenLayout = (ranks: number): Schedule['layout'] => ({
  ranks,
  q: Array.from({ length: ranks }, (_, n) => (ranks > 1 && n === 0 ? 0 : n + 1)),
  kv: Array.from({ length: ranks }, (_, n) => (ranks > 1 && n === ranks - 1 ? 0 : 2 * n + 1)),
});

/** Passes of a schedule of the list over an uneven layout. Throws RangeError for another name. */
export function passesOf(
  name: string,
  ranks: number,
  directions: readonly Direction[],
  recompute: boolean,
): Schedule[] {
  const schedule = SCHEDULES[name];
  if (schedule === undefined) throw new RangeError(`a schedule expected its name, got "${name}"`);
  return directions.map((direction) => schedule(unevenLayout(ranks), direction, { recompute }));
}
