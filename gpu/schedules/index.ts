/**
 * Every schedule by its name.
 * @module
 */
import { allGatherKv, allGatherKvSchedule } from './all-gather-kv.ts';
import { lvXattn, lvXattnSchedule } from './lv-xattn.ts';
import type { MakeInPieces, MakeSchedule } from './parts.ts';
import { passQ, passQSchedule, tokenRing, tokenRingSchedule } from './pass-q.ts';
import { ringAttention, ringAttentionSchedule } from './ring-attention.ts';
import {
  headParallel,
  headParallelSchedule,
  ulysses,
  ulyssesSchedule,
  usp,
  uspSchedule,
} from './ulysses.ts';

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

/** The same, for whoever goes through the lists of many ranks and does not hold them. */
export const IN_PIECES = {
  'lv-xattn': lvXattn,
  'ring-attention': ringAttention,
  ulysses,
  'head-parallel': headParallel,
  'all-gather-kv': allGatherKv,
  'pass-q': passQ,
  usp,
  'token-ring': tokenRing,
} as const satisfies Readonly<Record<ScheduleName, MakeInPieces>>;

/** Schedules whose queries go round with what is bound to them, of which O or D is one. */
export const SENDS_QUERIES: readonly ScheduleName[] = ['lv-xattn', 'pass-q', 'token-ring'];

/** Schedules that deal query heads out to all ranks, and want ranks that divide them. */
export const DEALS_HEADS: readonly ScheduleName[] = ['ulysses', 'head-parallel'];
