/**
 * Transport: one-place channels between ranks, one per receiving rank and lane.
 *
 * A message is a flat array and its label: the block it belongs to, whose keys are in it. All calls
 * return at once; the interpreter yields and tries again, so one interpreter serves coroutines and threads.
 * A transport also numbers the events of a run. A send takes its number before the message can be
 * seen, a receive takes its number before the channel can be filled again; so the numbers are an
 * order in which the events could have happened one at a time.
 * @module
 */
import type { Real } from '../device/device.ts';
import type { Lane } from '../schedule.ts';

export interface Message {
  /** Home rank of the query block. */
  readonly block: number;
  /** Ranks whose keys are in it, where it is a result. */
  readonly merged: readonly number[];
  readonly payload: Real;
}

/** A message that was taken, and the number of that event. */
export interface Delivery extends Message {
  readonly order: number;
}

export interface Transport {
  /** Copies the message into the channel to `to`: the event's number, or null while it is full. */
  readonly trySend: (to: number, lane: Lane, message: Message) => number | null;
  /** Takes the message that waits for `rank` on a lane; null when there is none. */
  readonly tryReceive: (rank: number, lane: Lane) => Delivery | null;
  /** A number for an event that no other rank sees. */
  readonly nextOrder: () => number;
}
