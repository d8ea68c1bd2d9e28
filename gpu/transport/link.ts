/**
 * Link: a socket that frames go over, in both directions.
 * @module
 */
import { connect, type Socket } from 'node:net';
import { encodeFrame, type Frame, type FrameKind, FrameReader, type Limits } from './frames.ts';

/** How long a link that ends may take to hand over what was written. */
const GOODBYE_MS = 1000;
/** How often, at most, a link looks whether the other end is still there. */
const LOOK_MS = 1000;

/**
 * Calls `late` after so long; gives what calls it off. A kernel may have kept this process from
 * reading, so what waits in sockets is read first: between a timer and what is set to run immediately.
 */
export function whenLate(ms: number, late: () => void): () => void {
  let last: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    last = setImmediate(late);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(last);
  };
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class Link {
  /** Called with every frame, one after another; an error of it ends the link. */
  receive: (frame: Frame) => void = () => undefined;
  /** Called once when nothing will come any more, with the reason. */
  ended: (reason: string) => void = () => undefined;
  readonly socket: Socket;
  readonly #reader: FrameReader;
  #reason: string | null = null;
  #heard = performance.now();
  #watch: NodeJS.Timeout | undefined;

  constructor(socket: Socket, limits: Limits) {
    this.socket = socket.setNoDelay(true);
    this.#reader = new FrameReader(limits);
    socket.on('data', (chunk: Uint8Array) => this.#read(chunk));
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => {
      this.#end(this.#reader.isWithin ? 'it was closed within a frame' : 'it was closed');
    });
  }

  /** Which frames may come from now on. */
  allow(limits: Limits): void {
    this.#reader.limits = limits;
  }

  get isOpen(): boolean {
    return this.#reason === null;
  }

  /** Ends the link once nothing has come for so long: `what` is missing then. What waits is read first. */
  expect(what: string, silenceMs: number): void {
    clearInterval(this.#watch);
    this.#heard = performance.now();
    const look = (): void => {
      const silent = performance.now() - this.#heard;
      if (silent > silenceMs) this.#end(`${what}: nothing has come for ${Math.round(silent)} ms`);
    };
    // A kernel may have kept this process from reading: between a timer and what is set to run
    // immediately, sockets are read.
    this.#watch = setInterval(() => setImmediate(look), Math.min(LOOK_MS, silenceMs / 4));
    this.#watch.unref();
  }

  #read(chunk: Uint8Array): void {
    this.#heard = performance.now();
    if (!this.isOpen) return;
    try {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame !== null; frame = this.#reader.next()) {
        this.receive(frame);
        if (!this.isOpen) return;
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.refuse(reason);
      this.ended(reason);
    }
  }

  #end(reason: string): void {
    clearInterval(this.#watch);
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.socket.destroy();
    this.ended(reason);
  }

  send(kind: FrameKind, header: unknown, payload?: Uint8Array): void {
    const parts = encodeFrame(kind, header, payload);
    if (!this.isOpen) return;
    this.socket.cork();
    for (const part of parts) if (part.length > 0) this.socket.write(part);
    this.socket.uncork();
  }

  /** Says why to whoever is at the other end, and closes. */
  refuse(reason: string): void {
    this.send('refused', { reason });
    this.#reason ??= reason;
    this.socket.end();
    setTimeout(() => this.socket.destroy(), GOODBYE_MS).unref();
  }

  close(): void {
    clearInterval(this.#watch);
    this.#reason ??= 'it was closed';
    this.socket.destroy();
  }

  /** Whether it keeps the process alive. */
  hold(held: boolean): void {
    if (held) this.socket.ref();
    else this.socket.unref();
  }
}

/** A link to an address. Throws where there is none within `timeoutMs`. */
export function linkTo({ host, port }: Address, limits: Limits, timeoutMs: number): Promise<Link> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (reason: string) => {
      callOff();
      socket.destroy();
      reject(new Error(`could not connect to ${host}:${port}: ${reason}`));
    };
    const onError = ({ message }: Error) => fail(message);
    const callOff = whenLate(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
    socket.once('error', onError);
    socket.once('connect', () => {
      callOff();
      socket.off('error', onError);
      resolve(new Link(socket, limits));
    });
  });
}
