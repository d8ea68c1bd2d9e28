/**
 * How a run may be asked for, and what each way of running hands back.
 * @module
 */

import type { DeviceName } from './device/choose.ts';
import type { RankEvent } from './interpreter.ts';
import type { RankResult } from './rank.ts';
import type { ScheduleName } from './schedules/index.ts';
import type { Listening } from './transport/crew.ts';
import type { Choose } from './transport/simulated.ts';

/** What a schedule may do in one way or another; one that lacks an option refuses it. */
export interface PassOptions {
  /** What queries take along backward, where they travel: D when absent, or O, as published. */
  readonly sends?: 'D' | 'O';
  /** USP: ranks of a group, a divisor of ranks and heads; at most √ranks when absent (groups.ts). */
  readonly group?: number;
  /** LV-XAttn: false = messages travel only between computations, as in the paper's ablation. */
  readonly overlap?: boolean;
  /** LV-XAttn: block pairs in which nobody sees anybody are not computed. */
  readonly skipEmpty?: boolean;
  /** Ring Attention: keys and values travel once for every query head. */
  readonly expanded?: boolean;
}

export interface RunOptions extends PassOptions {
  /** LV-XAttn when absent. */
  readonly schedule?: ScheduleName;
  readonly transport: TransportName;
  readonly device: DeviceName;
  /** Interleaving of the simulated transport: by a seed, or by whoever chooses. */
  readonly seed?: number;
  readonly choose?: Choose;
  /**
   * How long a rank may wait for a message, and take for one operation, milliseconds; a minute when
   * absent.
   */
  readonly timeoutMs?: number;
  /** How long processes may take to start and connect, milliseconds; a minute when absent. */
  readonly startTimeoutMs?: number;
  /** Wait here for ranks from elsewhere (`xattn rank`), in place of starting processes. */
  readonly listen?: Listening;
  /** Whether the log shows what the buffers held, hashes included; no by default, for it takes time. */
  readonly observing?: boolean;
  /** Whether the log shows when each operation happened. */
  readonly timing?: boolean;
  /** Counts the operations that each rank has completed: in shared memory, an element a rank. */
  readonly progress?: Int32Array;
}

/** What a log is to show. */
export type Watching = Pick<RunOptions, 'observing' | 'timing' | 'progress'>;

/** What each way of running hands back, by rank. */
export interface RanksRun {
  readonly results: readonly RankResult[];
  readonly backend: string;
  readonly log: readonly RankEvent[];
  readonly peakBytes: readonly number[];
}

export const TRANSPORT_NAMES = ['simulated', 'threads', 'processes'] as const;

export type TransportName = (typeof TRANSPORT_NAMES)[number];
