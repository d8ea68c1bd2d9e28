/**
 * The ends of one rank's channels, over sockets straight to the other ranks.
 *
 * A message goes to its receiver as one frame; that it was taken comes back as another, with the
 * receiver's stamp, and opens the channel again. So no rank holds more than one message of a channel.
 * @module
 */
import type { Kind } from '../schedule.ts';
import { type Frame, SMALL } from './frames.ts';
import { freeHeader, headerOf, messageHeader, refused } from './headers.ts';
import { type Link, whenLate } from './link.ts';
import { bytesOf, Unpacker } from './packing.ts';
import type { Message, Place, Transport } from './transport.ts';

const LABEL_BYTES = 2 ** 20;

/** Another rank that is gone, or that one waits for in vain. */
export class LostRank extends Error {
  readonly rank: number;

  constructor(rank: number, reason: string) {
    super(reason);
    [this.name, this.rank] = ['LostRank', rank];
  }
}

interface Waiting {
  readonly peer: number;
  readonly isOpen: () => boolean;
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}

/** A channel as its sender sees it. */
interface Sent {
  full: boolean;
  freed: number;
  sequence: number;
}

export interface EndsOptions {
  readonly rank: number;
  readonly bytesPerElement: 4 | 8;
  /** The most bytes of a message that the schedule plans. */
  readonly messageBytes: number;
  readonly timeoutMs: number;
  readonly onTurn: (place: Place) => void;
}

export class Ends {
  readonly #options: EndsOptions;
  readonly #outgoing = new Map<number, Link>();
  readonly #incoming = new Map<number, Link>();
  readonly #sent = new Map<string, Sent>();
  readonly #arrived = new Map<string, Message>();
  readonly #lost = new Map<number, string>();
  #waiting: Waiting | null = null;

  constructor(options: EndsOptions) {
    this.#options = options;
  }

  /** A link to a rank that messages go to. */
  connect(to: number, link: Link): void {
    this.#outgoing.set(to, link);
    link.allow({ free: SMALL, refused: SMALL });
    link.receive = (frame) => this.#onAnswer(to, frame);
    link.ended = (reason) => this.#lose(to, reason);
  }

  /** A link from a rank that messages come from. Throws where there is one already. */
  attach(from: number, link: Link): void {
    if (this.#incoming.has(from)) throw new RangeError(`rank ${from} is connected already`);
    this.#incoming.set(from, link);
    const payload = this.#options.messageBytes;
    link.allow({ message: { header: LABEL_BYTES, payload } });
    link.receive = (frame) => this.#onMessage(from, frame);
    link.ended = (reason) => this.#lose(from, reason);
  }

  close(): void {
    for (const link of [...this.#outgoing.values(), ...this.#incoming.values()]) link.close();
  }

  #sentTo(to: number, lane: Kind): Sent {
    const key = `${to}/${lane}`;
    const sent = this.#sent.get(key) ?? { full: false, freed: 0, sequence: 0 };
    this.#sent.set(key, sent);
    return sent;
  }

  #onAnswer(to: number, frame: Frame): void {
    if (frame.kind === 'refused') throw new Error(headerOf(refused, frame).reason);
    const { lane, sequence, stamp } = headerOf(freeHeader, frame);
    const sent = this.#sentTo(to, lane);
    if (!sent.full || sent.sequence !== sequence) {
      throw new RangeError(`lane ${lane} expected no answer to message ${sequence}, got one`);
    }
    [sent.full, sent.freed] = [false, stamp];
    this.#look();
  }

  #onMessage(from: number, frame: Frame): void {
    const { elements, ...header } = headerOf(messageHeader, frame);
    const { bytesPerElement } = this.#options;
    const unpacker = new Unpacker(frame.payload);
    const payload = unpacker.reals(elements, bytesPerElement);
    unpacker.end();
    const key = `${from}/${header.lane}`;
    if (this.#arrived.has(key)) {
      throw new RangeError(`lane ${header.lane} expected one message at a time, got a second one`);
    }
    this.#arrived.set(key, { ...header, payload });
    this.#look();
  }

  #lose(peer: number, reason: string): void {
    if (!this.#lost.has(peer)) this.#lost.set(peer, reason);
    this.#look();
  }

  /** Lets the rank go on, or fail, where what it waits for has come or cannot come any more. */
  #look(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    const reason = this.#lost.get(waiting.peer);
    if (waiting.isOpen()) waiting.go();
    else if (reason !== undefined) waiting.fail(this.#lostRank(waiting.peer, reason));
  }

  #lostRank(peer: number, reason: string): LostRank {
    return new LostRank(peer, `the connection to rank ${peer} was lost: ${reason}`);
  }

  async #wait(peer: number, what: string, isOpen: () => boolean): Promise<void> {
    const { timeoutMs } = this.#options;
    let callOff = () => {};
    await new Promise<void>((go, fail) => {
      const late = new LostRank(peer, `waited ${timeoutMs} ms for ${what}`);
      callOff = whenLate(timeoutMs, () => fail(late));
      this.#waiting = { peer, isOpen, go, fail };
      this.#look();
    }).finally(() => {
      callOff();
      this.#waiting = null;
    });
  }

  #linkTo(links: Map<number, Link>, peer: number): Link {
    const link = links.get(peer);
    if (link === undefined) throw new LostRank(peer, `rank ${peer} is not connected`);
    return link;
  }

  transport(): Transport {
    return {
      turn: (place) => this.#options.onTurn(place),
      ready: async (to, lane) => {
        const sent = this.#sentTo(to, lane);
        await this.#wait(to, `rank ${to} to take what is on lane ${lane}`, () => !sent.full);
        return sent.freed;
      },
      put: ({ payload, ...header }) => {
        const { to, lane, sequence } = header;
        const sent = this.#sentTo(to, lane);
        [sent.full, sent.sequence] = [true, sequence];
        const elements = payload.length;
        this.#linkTo(this.#outgoing, to).send(
          'message',
          { ...header, elements },
          bytesOf([payload]),
        );
      },
      take: async (from, lane) => {
        const key = `${from}/${lane}`;
        const what = `a message from rank ${from} on lane ${lane}`;
        await this.#wait(from, what, () => this.#arrived.has(key));
        const message = this.#arrived.get(key);
        if (message === undefined) throw new Error(`lane ${lane} was emptied by another rank`);
        return message;
      },
      free: (from, lane, stamp) => {
        const key = `${from}/${lane}`;
        const sequence = this.#arrived.get(key)?.sequence ?? 0;
        this.#arrived.delete(key);
        this.#linkTo(this.#incoming, from).send('free', { lane, sequence, stamp });
      },
    };
  }
}
