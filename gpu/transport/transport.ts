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
import { hashOf } from '../observation.ts';
import type { Kind } from '../schedule.ts';
import type { Label } from '../wire.ts';

/** Where a rank is: in which pass of the run, and which step of its list, both from 0. */
export interface Place {
  readonly pass: number;
  readonly step: number;
}

/** A message, and where it was sent: in which pass and step of the sender. */
export interface Message extends Place {
  readonly from: number;
  readonly to: number;
  readonly lane: Kind;
  /** Place among the messages of its channel, from 0. */
  readonly sequence: number;
  /** Lamport clock of the sender when it sent it. */
  readonly stamp: number;
  /** Which blocks and heads these are. */
  readonly label: Label;
  readonly payload: Real;
  /** checksumOf what is above. */
  readonly checksum: number;
}

const encoder = new TextEncoder();

/**
 * FNV-1a, 32 bits, of everything in a message: whatever byte of header, label or payload is
 * changed, it is another one, as every step of FNV-1a is a bijection; where several are, all but once in 2³².
 */
export function checksumOf(message: Omit<Message, 'checksum'>): number {
  const { from, to, lane, pass, step, sequence, stamp, label, payload } = message;
  const { kind, direction, blocks, heads, merged } = label;
  const text = JSON.stringify([
    [from, to, lane, pass, step, sequence, stamp, payload.length, payload.BYTES_PER_ELEMENT],
    [kind, direction, blocks, heads.from, heads.to, heads.of],
    merged.map((one) => [one.block, one.from, one.to]),
  ]);
  return hashOf([encoder.encode(text), payload]);
}

/** One rank's ends of its channels. Every wait throws where it can be known, or takes too long. */
export interface Transport {
  /** Says where the rank is, and waits for its turn to do what no other rank sees. */
  readonly turn: (place: Place) => Awaitable<void>;
  /** Waits until the channel to a rank is empty: the stamp at which it was emptied, or 0. */
  readonly ready: (to: number, lane: Kind) => Awaitable<number>;
  /** Copies a message into its channel, which is empty. */
  readonly put: (message: Message) => Awaitable<void>;
  /** Waits for the message of a channel. Its payload is the receiver's own. */
  readonly take: (from: number, lane: Kind) => Awaitable<Message>;
  /** Empties a channel, at a stamp. */
  readonly free: (from: number, lane: Kind, stamp: number) => Awaitable<void>;
}
