/**
 * Every schedule by its name.
 * @module
 */
import { allGatherKvSchedule } from './all-gather-kv.ts';
import { lvXattnSchedule } from './lv-xattn.ts';
import type { MakeSchedule } from './parts.ts';
import { passQSchedule, tokenRingSchedule } from './pass-q.ts';
import { ringAttentionSchedule } from './ring-attention.ts';
import { headParallelSchedule, ulyssesSchedule, uspSchedule } from './ulysses.ts';

export const SCHEDULES = {
  'lv-xattn': lvXattnSchedule,
  'ring-attention': ringAttentionSchedule,
  ulysses: ulyssesSchedule,
  'head-parallel': headParallelSchedule,
  'all-gather-kv': allGatherKvSchedule,
  'pass-q': passQSchedule,
  usp: uspSchedule,
  'token-ring': tokenRingSchedule,
} as const satisfies Readonly<Record<string, MakeSchedule>>;
export type ScheduleName = keyof typeof SCHEDULES;
export const SCHEDULE_NAMES = Object.keys(SCHEDULES) as ScheduleName[];

/** Schedules whose queries go round with what is bound to them, of which O or D is one. */
export const SENDS_QUERIES: readonly ScheduleName[] = ['lv-xattn', 'pass-q', 'token-ring'];

/** Schedules that deal query heads out to all ranks, and want ranks that divide them. */
export const DEALS_HEADS: readonly ScheduleName[] = ['ulysses', 'head-parallel'];
