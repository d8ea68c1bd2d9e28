/**
 * Channels between worker threads: one mailbox in shared memory per channel.
 *
 * A mailbox is an int32 header [state, freed, pass, step, sequence, stamp, checksum, payload
 * elements, label bytes], the label as JSON, and the payload. The sender fills it and flips the state from empty
 * to full, the receiver back, both with Atomics; whoever waits sleeps on the state.
 * @module
 */
import type { Real } from '../device/device.ts';
import { messagesOf } from '../labels.ts';
import type { Kind, Schedule } from '../schedule.ts';
import { type Extents, elementCount, type Label } from '../wire.ts';
import type { Message, Transport } from './transport.ts';

const HEADER_FIELDS = 9;
const HEADER_BYTES = 4 * HEADER_FIELDS;
const [EMPTY, FULL] = [0, 1];
const [STATE, FREED, PASS, STEP, SEQUENCE, STAMP, CHECKSUM, ELEMENTS, LABEL_BYTES] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
] as const;

const aligned = (bytes: number): number => 8 * Math.ceil(bytes / 8);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where a channel's mailbox lies, and the most that its messages need. */
export interface Mailbox {
  readonly from: number;
  readonly to: number;
  readonly lane: Kind;
  readonly start: number;
  readonly labelBytes: number;
  /** Most elements of a payload. */
  readonly capacity: number;
}

export interface Mailboxes {
  readonly memory: SharedArrayBuffer;
  readonly bytesPerElement: 4 | 8;
  readonly boxes: readonly Mailbox[];
}

/** Mailboxes for all channels of some passes, each as large as its largest message. */
export function planMailboxes(
  e: Extents,
  passes: readonly Schedule[],
  bytesPerElement: 4 | 8,
): { readonly boxes: readonly Mailbox[]; readonly bytes: number } {
  const needs = new Map<string, Omit<Mailbox, 'start'>>();
  for (const { from, to, lane, label } of passes.flatMap((pass) => messagesOf(e, pass))) {
    const key = `${from}/${to}/${lane}`;
    const before = needs.get(key);
    const labelBytes = encoder.encode(JSON.stringify(label)).length;
    needs.set(key, {
      from,
      to,
      lane,
      labelBytes: Math.max(before?.labelBytes ?? 0, labelBytes),
      capacity: Math.max(before?.capacity ?? 0, elementCount(e, label)),
    });
  }
  let start = 0;
  const boxes = [...needs.values()].map((need): Mailbox => {
    const box = { ...need, start };
    start += aligned(HEADER_BYTES + need.labelBytes) + aligned(need.capacity * bytesPerElement);
    return box;
  });
  return { boxes, bytes: start };
}

/** A rank has waited for another one in vain. */
export class Late extends Error {}

/** Views on one mailbox. */
class Box {
  readonly header: Int32Array;
  readonly #box: Mailbox;
  readonly #all: Mailboxes;

  constructor(all: Mailboxes, box: Mailbox) {
    [this.#all, this.#box] = [all, box];
    this.header = new Int32Array(all.memory, box.start, HEADER_FIELDS);
  }

  #label(): Uint8Array {
    return new Uint8Array(this.#all.memory, this.#box.start + HEADER_BYTES, this.#box.labelBytes);
  }

  #payload(length: number): Real {
    const { start, labelBytes } = this.#box;
    const at = start + aligned(HEADER_BYTES + labelBytes);
    const { memory, bytesPerElement } = this.#all;
    return bytesPerElement === 4
      ? new Float32Array(memory, at, length)
      : new Float64Array(memory, at, length);
  }

  fill({ label, pass, step, sequence, stamp, checksum, payload }: Message): void {
    const { capacity, labelBytes } = this.#box;
    const text = encoder.encode(JSON.stringify(label));
    if (payload.length > capacity || text.length > labelBytes) {
      throw new RangeError(
        `a message expected at most ${capacity} elements and a label of ${labelBytes} bytes, ` +
          `got ${payload.length} and ${text.length}`,
      );
    }
    this.#payload(payload.length).set(payload);
    this.#label().set(text);
    const { header } = this;
    [header[PASS], header[STEP]] = [pass, step];
    [header[SEQUENCE], header[STAMP]] = [sequence, stamp];
    [header[CHECKSUM], header[ELEMENTS]] = [checksum, payload.length];
    header[LABEL_BYTES] = text.length;
  }

  read(): Message {
    const field = (n: number): number => this.header[n] ?? 0;
    // TextDecoder takes no view on shared memory.
    const text = decoder.decode(this.#label().slice(0, field(LABEL_BYTES)));
    const { from, to, lane } = this.#box;
    return {
      from,
      to,
      lane,
      label: JSON.parse(text) as Label,
      pass: field(PASS),
      step: field(STEP),
      sequence: field(SEQUENCE),
      stamp: field(STAMP),
      checksum: field(CHECKSUM) >>> 0,
      payload: this.#payload(field(ELEMENTS)).slice(),
    };
  }
}

/** The transport of one rank on a thread of its own. Its waits stop the thread. */
export function threadTransport(all: Mailboxes, rank: number, timeoutMs: number): Transport {
  const own = new Map<string, Box>();
  for (const box of all.boxes) {
    if (box.from === rank || box.to === rank) {
      own.set(`${box.from}/${box.to}/${box.lane}`, new Box(all, box));
    }
  }
  const boxAt = (from: number, to: number, lane: Kind): Box => {
    const box = own.get(`${from}/${to}/${lane}`);
    if (box === undefined) {
      throw new Error(`no message was planned from rank ${from} to rank ${to} on lane ${lane}`);
    }
    return box;
  };
  const wait = ({ header }: Box, while_: number, what: string): void => {
    while (Atomics.load(header, STATE) === while_) {
      if (Atomics.wait(header, STATE, while_, timeoutMs) === 'timed-out') {
        throw new Late(`waited ${timeoutMs} ms for ${what}`);
      }
    }
  };
  const flip = ({ header }: Box, to: number): void => {
    Atomics.store(header, STATE, to);
    Atomics.notify(header, STATE);
  };
  return {
    turn: () => undefined,
    ready: (to, lane) => {
      const box = boxAt(rank, to, lane);
      wait(box, FULL, `rank ${to} to take what is on lane ${lane}`);
      return box.header[FREED] ?? 0;
    },
    put: (message) => {
      const box = boxAt(rank, message.to, message.lane);
      box.fill(message);
      flip(box, FULL);
    },
    take: (from, lane) => {
      const box = boxAt(from, rank, lane);
      wait(box, EMPTY, `a message from rank ${from} on lane ${lane}`);
      return box.read();
    },
    free: (from, lane, stamp) => {
      const box = boxAt(from, rank, lane);
      box.header[FREED] = stamp;
      flip(box, EMPTY);
    },
  };
}
