/**
 * Every schedule by its name.
 * @module
 */
import type { Partition } from '../../reference/case.ts';
import type { Direction, Schedule } from '../schedule.ts';
import { lvXattnSchedule } from './lv-xattn.ts';
import type { ScheduleOptions } from './parts.ts';

/** A distributed algorithm: a pure function from a layout to data. */
export type MakeSchedule = (
  layout: Partition,
  direction: Direction,
  options?: ScheduleOptions,
) => Schedule;

export const SCHEDULES = {
  'lv-xattn': lvXattnSchedule,
} as const satisfies Readonly<Record<string, MakeSchedule>>;
export type ScheduleName = keyof typeof SCHEDULES;
export const SCHEDULE_NAMES = Object.keys(SCHEDULES) as ScheduleName[];
