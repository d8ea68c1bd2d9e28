/**
 * The schedules that the protocol check is about: all of gpu/schedules, and variants of them.
 * @module
 */

import type { Direction, Schedule } from '../../gpu/schedule.ts';
import { SCHEDULES as ALL, SCHEDULE_NAMES } from '../../gpu/schedules/index.ts';
import { lvXattnSchedule } from '../../gpu/schedules/lv-xattn.ts';
import type { MakeSchedule } from '../../gpu/schedules/parts.ts';
import { ringAttentionSchedule } from '../../gpu/schedules/ring-attention.ts';
import { uspSchedule } from '../../gpu/schedules/ulysses.ts';
import type { Partition } from '../../reference/case.ts';

/** What is checked under a name. */
export interface Checked {
  readonly make: MakeSchedule;
  /** Rank counts that it is for; all when absent. */
  readonly ranks?: readonly number[];
  /** Pairs that it leaves out. */
  readonly isSkipped?: (block: number, keys: number) => boolean;
}

/** Block pairs that a causal mask empties, where blocks lie in the order of their ranks. */
export const isCausallyEmpty = (block: number, keys: number): boolean => keys > block;

/** Schedules with an option that changes their operations. */
const VARIANTS: Readonly<Record<string, Checked>> = {
  'lv-xattn, causal blocks skipped': {
    make: (layout, direction, options) =>
      lvXattnSchedule(layout, direction, { ...options, isSkipped: isCausallyEmpty }),
    isSkipped: isCausallyEmpty,
  },
  'lv-xattn without overlap': {
    make: (layout, direction, options) =>
      lvXattnSchedule(layout, direction, { ...options, overlap: false }),
  },
  'ring-attention, expanded heads': {
    make: (layout, direction, options) =>
      ringAttentionSchedule(layout, direction, { ...options, expanded: true }),
  },
  'usp in groups of two': {
    make: (layout, direction, options) => uspSchedule(layout, direction, { ...options, group: 2 }),
    ranks: [2, 4, 6],
  },
  'usp in groups of three': {
    make: (layout, direction, options) => uspSchedule(layout, direction, { ...options, group: 3 }),
    ranks: [3, 6],
  },
};

/** By name. A schedule of gpu/schedules is here without anybody's doing. */
export const CHECKED: Readonly<Record<string, Checked>> = {
  ...Object.fromEntries(
    SCHEDULE_NAMES.map((name): [string, Checked] => [name, { make: ALL[name] }]),
  ),
  ...VARIANTS,
};
export const NAMES = Object.keys(CHECKED);

export const RANKS = [1, 2, 3, 4, 5, 6] as const;

/** A pass alone, and passes that follow one another without a barrier. */
export const PASSES: readonly (readonly Direction[])[] = [
  ['forward'],
  ['backward'],
  ['forward', 'backward'],
  ['forward', 'backward', 'forward'],
];

/** Single passes, and all in a row. */
export const ALONE = [PASSES[0], PASSES[1], PASSES[3]].filter((passes) => passes !== undefined);

/**
 * The most ranks of which every interleaving is visited, without copying; beyond, of messages that are
 * copies and of interleavings that differ in what ranks do to one another. See limits.md.
 */
const ALL_UP_TO: Readonly<Record<string, number>> = { 'lv-xattn': 6 };
export const allUpTo = (name: string): number => ALL_UP_TO[name] ?? 3;

/** Passes done again, on the ranks up to this many: every sum must start anew. */
export const REPEATED_RANKS_MAX = 4;
export const REPEATED: readonly (readonly Direction[])[] = [
  ['forward', 'backward', 'forward', 'backward'],
  ['forward', 'backward', 'backward'],
  ['forward', 'forward', 'backward'],
];

/** Uneven blocks; from two ranks on one of each kind is empty. */
export const unevenLayout = (ranks: number): Partition => ({
  ranks,
  q: Array.from({ length: ranks }, (_, n) => (ranks > 1 && n === 0 ? 0 : n + 1)),
  kv: Array.from({ length: ranks }, (_, n) => (ranks > 1 && n === ranks - 1 ? 0 : 2 * n + 1)),
});

/** What is checked under a name. Throws RangeError for a name that is none. */
export function checkedOf(name: string): Checked {
  const checked = CHECKED[name];
  if (checked === undefined) throw new RangeError(`a schedule expected its name, got "${name}"`);
  return checked;
}

/** The rank counts, of those given, that a schedule is for. */
export const ranksOf = (name: string, among: readonly number[] = RANKS): number[] =>
  among.filter((ranks) => checkedOf(name).ranks?.includes(ranks) ?? true);

/** Passes of a schedule over an uneven layout; one query head a rank when not told otherwise. */
export function passesOf(
  name: string,
  ranks: number,
  directions: readonly Direction[],
  recompute: boolean,
  heads = ranks,
): Schedule[] {
  const { make } = checkedOf(name);
  const layout = unevenLayout(ranks);
  return directions.map((direction) => make(layout, direction, { recompute, heads }));
}
