/**
 * Transport: one-place channels between ranks, one per receiving rank and lane.
 *
 * A message is a flat array with a one-number header, the block it belongs to. Both calls return at
 * once; the interpreter yields and tries again, so one interpreter serves coroutines and threads.
 * @module
 */
import type { Real } from '../device/device.ts';
import type { Lane } from '../schedule.ts';

export interface Message {
  /** Home rank of the query block. */
  readonly block: number;
  readonly payload: Real;
}

export interface Transport {
  /** Puts a copy of the message into the channel to `to`; false when the channel is still full. */
  readonly trySend: (to: number, lane: Lane, message: Message) => boolean;
  /** Takes the message that waits for `rank` on a lane; null when there is none. */
  readonly tryReceive: (rank: number, lane: Lane) => Message | null;
}
