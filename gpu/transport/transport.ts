/**
 * Transport: one-place channels between ranks, one for each pair of ranks and lane.
 *
 * A message is a flat array under its label. Sending is two steps, waiting until the channel is
 * empty and filling it; receiving is two, taking the message and saying that the channel is empty
 * again. Between the two a rank stamps the event: stamps are Lamport clocks, so they need no memory
 * that all ranks see, and every stamp is larger than those of all events that had to come before it.
 * Sorted by stamp, a log shows an order in which its events could have happened one at a time.
 * @module
 */
import type { Awaitable, Real } from '../device/device.ts';
import type { Kind } from '../schedule.ts';
import type { Label } from '../wire.ts';

export interface Message {
  readonly label: Label;
  /** Pass of the run, and place among the messages of its channel, from 0. */
  readonly pass: number;
  readonly sequence: number;
  /** Lamport clock of the sender when it sent it. */
  readonly stamp: number;
  /** FNV-1a of the payload's bytes. */
  readonly checksum: number;
  readonly payload: Real;
}

/** One rank's ends of its channels. Every wait throws where it can be known, or takes too long. */
export interface Transport {
  /** Waits for one's turn to do what no other rank sees. */
  readonly turn: () => Awaitable<void>;
  /** Waits until the channel to a rank is empty: the stamp at which it was emptied, or 0. */
  readonly ready: (to: number, lane: Kind) => Awaitable<number>;
  /** Copies a message into the channel, which is empty. */
  readonly put: (to: number, lane: Kind, message: Message) => Awaitable<void>;
  /** Waits for the message of a channel. Its payload is the receiver's own. */
  readonly take: (from: number, lane: Kind) => Awaitable<Message>;
  /** Empties a channel, at a stamp. */
  readonly free: (from: number, lane: Kind, stamp: number) => Awaitable<void>;
}
