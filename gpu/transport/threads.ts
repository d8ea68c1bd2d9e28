/**
 * Channels between worker threads: one mailbox in shared memory per receiving rank and lane.
 *
 * A mailbox is [state, block, length, count of merged ranks, these ranks] as int32 and the payload
 * behind it. The sender fills it and flips the state from empty to full, the receiver back, both with
 * Atomics; whoever waits sleeps on the state. In front of all mailboxes stands the count of events.
 * @module
 */
import type { Real } from '../device/device.ts';
import { LANES, type Lane } from '../schedule.ts';
import type { Transport } from './transport.ts';

const HEADER_FIELDS = 4;
/** A multiple of eight, so that payloads stay aligned. */
const headerBytes = (ranks: number): number => 8 * Math.ceil((HEADER_FIELDS + ranks) / 2);
/** The count of events, on its own in front so that payloads stay aligned. */
const COUNTER_BYTES = 16;
const [EMPTY, FULL] = [0, 1];

/** Shared memory of all mailboxes, and what is needed to find one. */
export interface Mailboxes {
  readonly memory: SharedArrayBuffer;
  readonly ranks: number;
  /** Bytes per payload element and the most elements a message of either lane can have. */
  readonly bytesPerElement: 4 | 8;
  readonly capacity: number;
}

/** Bytes of all mailboxes. */
export function mailboxesBytes(ranks: number, bytesPerElement: 4 | 8, capacity: number): number {
  return COUNTER_BYTES + mailboxBytes(ranks, bytesPerElement, capacity) * ranks * LANES.length;
}

/** Memory for every rank and lane. */
export function makeMailboxes(ranks: number, bytesPerElement: 4 | 8, capacity: number): Mailboxes {
  const memory = new SharedArrayBuffer(mailboxesBytes(ranks, bytesPerElement, capacity));
  return { memory, ranks, bytesPerElement, capacity };
}

function mailboxBytes(ranks: number, bytesPerElement: number, capacity: number): number {
  return headerBytes(ranks) + Math.ceil((capacity * bytesPerElement) / 8) * 8;
}

/** The transport of one worker; `waitForChange` sleeps until something may have moved. */
export function threadTransport(
  boxes: Mailboxes,
): Transport & { waitForChange: (timeoutMs: number) => void } {
  const { memory, ranks, bytesPerElement, capacity } = boxes;
  const step = mailboxBytes(ranks, bytesPerElement, capacity);
  const start = (rank: number, lane: Lane): number =>
    COUNTER_BYTES + (rank * LANES.length + LANES.indexOf(lane)) * step;
  const counter = new Int32Array(memory, 0, 1);
  const nextOrder = (): number => Atomics.add(counter, 0, 1);
  const header = (rank: number, lane: Lane): Int32Array =>
    new Int32Array(memory, start(rank, lane), HEADER_FIELDS + ranks);
  const payloadOf = (rank: number, lane: Lane, length: number): Real => {
    const at = start(rank, lane) + headerBytes(ranks);
    return bytesPerElement === 4
      ? new Float32Array(memory, at, length)
      : new Float64Array(memory, at, length);
  };
  let blocked: { header: Int32Array; state: number } | null = null;
  return {
    trySend: (to, lane, { block, merged, payload }) => {
      const head = header(to, lane);
      if (Atomics.load(head, 0) !== EMPTY) {
        blocked = { header: head, state: FULL };
        return null;
      }
      if (payload.length > capacity)
        throw new RangeError(
          `a message expected at most ${capacity} elements, got ${payload.length}`,
        );
      if (merged.length > ranks)
        throw new RangeError(`a message expected keys of at most ${ranks} ranks, got [${merged}]`);
      payloadOf(to, lane, payload.length).set(payload);
      head[1] = block;
      head[2] = payload.length;
      head[3] = merged.length;
      head.set(merged, HEADER_FIELDS);
      const order = nextOrder();
      Atomics.store(head, 0, FULL);
      Atomics.notify(head, 0);
      return order;
    },
    tryReceive: (rank, lane) => {
      const head = header(rank, lane);
      if (Atomics.load(head, 0) !== FULL) {
        blocked = { header: head, state: EMPTY };
        return null;
      }
      const payload = payloadOf(rank, lane, head[2] ?? 0).slice();
      const block = head[1] ?? 0;
      const merged = [...head.slice(HEADER_FIELDS, HEADER_FIELDS + (head[3] ?? 0))];
      const order = nextOrder();
      Atomics.store(head, 0, EMPTY);
      Atomics.notify(head, 0);
      return { block, merged, payload, order };
    },
    nextOrder,
    waitForChange: (timeoutMs) => {
      if (blocked === null) return;
      const outcome = Atomics.wait(blocked.header, 0, blocked.state, timeoutMs);
      if (outcome === 'timed-out') throw new Error(`no message moved for ${timeoutMs} ms`);
    },
  };
}
