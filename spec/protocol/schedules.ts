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
import type { Partition } from '../../reference/case/case.ts';

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
  // With a head a rank LV-XAttn's ring alone, and at four ranks a grid of two groups of two.
  usp: { make: ALL.usp, ranks: [1, 2, 3, 4] },
  ...VARIANTS,
};
export const NAMES = Object.keys(CHECKED);

export const RANKS = [1, 2, 3, 4, 5, 6] as const;

/**
 * XATTN_LONG=1 checks all that limits.md names, which takes half an hour and more; without it the
 * longest searches are left out.
 */
const LONG = process.env.XATTN_LONG === '1';
/** Rank counts of schedules other than LV-XAttn that are checked when it is not set. */
const SHORT_RANKS_MAX = 4;

/**
 * A pass alone, and passes that follow one another without a barrier. What is true of the longest is
 * true of those that it starts with, or that start in it (no pass reads what the one before has left
 * in its buffers, and what it leaves on a wire stays there): LV-XAttn is checked with all of them,
 * other schedules with the longest.
 */
const PASSES: readonly (readonly Direction[])[] = [
  ['forward'],
  ['backward'],
  ['forward', 'backward'],
  ['forward', 'backward', 'forward'],
];

/** Passes of which the same kind comes again: every sum must start anew. */
const REPEATED: readonly (readonly Direction[])[] = [
  ['forward', 'backward', 'forward', 'backward'],
  ['forward', 'backward', 'backward'],
  ['forward', 'forward', 'backward'],
];
/** Every pair of kinds, one after the other. */
const EVERY_PAIR: readonly Direction[] = [
  ...(['forward', 'forward', 'backward'] as const),
  ...(['backward', 'forward', 'backward'] as const),
];

/** How much of a schedule is checked. */
export interface Scope {
  readonly passes: readonly (readonly Direction[])[];
  /** Beyond `allUpTo`. */
  readonly passesBeyond: readonly (readonly Direction[])[];
  /**
   * The most ranks of which every interleaving is visited, without copying; beyond, of messages that
   * are copies and of interleavings that differ in what ranks do to one another (limits.md).
   */
  readonly allUpTo: number;
  readonly repeated: readonly (readonly Direction[])[];
  readonly repeatedRanks: readonly number[];
  /** Ranks with which messages may be lost, or a rank may die. */
  readonly faultRanks: readonly number[];
}

const WHOLE: Scope = {
  passes: PASSES,
  passesBeyond: PASSES.slice(2, 3),
  allUpTo: LONG ? 6 : 5,
  repeated: REPEATED,
  repeatedRanks: [1, 2, 3, 4],
  faultRanks: LONG ? [2, 3, 4, 5, 6] : [2, 3, 4],
};
const LONGEST: Scope = {
  passes: PASSES.slice(-1),
  passesBeyond: PASSES.slice(2, 3),
  allUpTo: LONG ? 4 : 3,
  repeated: [EVERY_PAIR],
  repeatedRanks: LONG ? [2, 3] : [2],
  faultRanks: LONG ? [2, 3] : [2],
};

/** Schedules that deal heads out have several times the operations of the others. */
export function scopeOf(name: string): Scope {
  if (name === 'lv-xattn') return WHOLE;
  const deals = /^(ulysses|head-parallel|usp)/.test(name);
  return deals ? { ...LONGEST, allUpTo: 3 } : LONGEST;
}

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
  among
    .filter((ranks) => checkedOf(name).ranks?.includes(ranks) ?? true)
    .filter((ranks) => LONG || name === 'lv-xattn' || ranks <= SHORT_RANKS_MAX);

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
