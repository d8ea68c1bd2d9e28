/**
 * A rank in a process of its own: it connects to whoever deals out, and runs what it is dealt.
 *
 * Whoever deals out sends shard and operations, and gets the result; messages go straight from rank
 * to rank, so that they cross the network once and what is sent can be counted where it is sent.
 * Tokens keep strangers out, but nothing is encrypted: between machines, use a network that you trust.
 * @module
 */
import { createServer, type Server } from 'node:net';
import { deviceOf } from '../device/choose.ts';
import { interpret, type Log, StepError } from '../interpreter.ts';
import { makeRank } from '../rank.ts';
import type { Operation, Schedule } from '../schedule.ts';
import { type Frame, type Limits, SMALL, STRANGER } from './frames.ts';
import {
  doneHeader,
  goHeader,
  headerOf,
  isToken,
  type JobHeader,
  jobHeader,
  peerHello,
  refused,
} from './headers.ts';
import { type Address, Link, linkTo, whenLate } from './link.ts';
import { packDone, unpackShard } from './packing.ts';
import { Ends, LostRank } from './sockets.ts';
import type { Place } from './transport.ts';

/** How long a stranger may take to say who it is. */
export const HELLO_MS = 10_000;
const FROM_DEALER: Limits = {
  refused: SMALL,
  job: { header: 2 ** 28, payload: 2 ** 32 - 1 },
  go: { header: 2 ** 20, payload: 0 },
  done: SMALL,
  alive: SMALL,
};

/** How long to wait before trying again to connect. */
const AGAIN_MS = 200;

/** A run that this rank had a part in has failed. */
export class RunFailed extends Error {}

export interface RankOptions extends Address {
  readonly token: string;
  /** What its starter calls it. */
  readonly name?: string;
  /** For how long it is tried to connect, and then waited for an answer; 10 s when absent. */
  readonly connectTimeoutMs?: number;
  /**
   * After how long without a word from whoever deals out it gives up, milliseconds; never when absent,
   * as one that started this process may be busy for long. Ranks from elsewhere hear every second.
   */
  readonly silenceMs?: number;
  /** Told of every step before it is taken. */
  readonly onStep?: (rank: number, place: Place) => void;
}

/** One job of a rank. */
class Work {
  readonly job: number;
  readonly ends: Ends;
  readonly #header: JobHeader;
  readonly #payload: Uint8Array;
  readonly #dealer: Link;
  #place: Place = { pass: 0, step: 0 };

  constructor(header: JobHeader, payload: Uint8Array, dealer: Link, onStep: RankOptions['onStep']) {
    [this.#header, this.#payload, this.#dealer] = [header, payload, dealer];
    this.job = header.job;
    const { rank, bytesPerElement } = header.shard;
    const { messageBytes, timeoutMs } = header;
    const onTurn = (place: Place): void => {
      this.#place = { pass: place.pass, step: place.step };
      dealer.send('at', { job: this.job, ...this.#place });
      onStep?.(rank, place);
    };
    this.ends = new Ends({ rank, bytesPerElement, messageBytes, timeoutMs, onTurn });
  }

  get rank(): number {
    return this.#header.shard.rank;
  }

  #lists(): (readonly Operation[])[] {
    return this.#header.passes.map(({ list }) => list);
  }

  async #connect(addresses: readonly Address[], token: string): Promise<void> {
    const targets = this.#lists().flatMap((list) =>
      list.flatMap((operation) => (operation.op === 'send' ? [operation.to] : [])),
    );
    for (const to of new Set(targets)) {
      const address = addresses[to];
      if (address === undefined) throw new LostRank(to, `rank ${to} has no address`);
      try {
        const link = await linkTo(address, {}, this.#header.timeoutMs);
        link.send('hello', { role: 'peer', token, job: this.job, from: this.rank });
        this.ends.connect(to, link);
      } catch (error) {
        throw new LostRank(to, `rank ${to}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }

  async #run(addresses: readonly Address[], token: string): Promise<void> {
    const { device, parameters, passes, observing, timing } = this.#header;
    const machine = deviceOf(device);
    const rank = makeRank(unpackShard(this.#header.shard, parameters, this.#payload), machine);
    const log: Log = { events: [], observing, timing, progress: null };
    await this.#connect(addresses, token);
    const lists = this.#lists();
    const schedules = passes.map(({ name, direction, layout }, pass): Schedule => {
      // Only this rank's list is known here.
      const ranks = layout.q.map((_, n) => (n === this.rank ? (lists[pass] ?? []) : []));
      return { name, direction, layout, ranks };
    });
    await interpret(rank, this.rank, schedules, this.ends.transport(), log);
    const result = await rank.result();
    const peakBytes = rank.peakBytes();
    const done = { result, backend: machine.backend, log: log.events, peakBytes };
    const { header, payload } = packDone(this.job, done);
    this.#dealer.send('result', header, payload);
  }

  async start(addresses: readonly Address[], token: string): Promise<void> {
    try {
      await this.#run(addresses, token);
    } catch (error) {
      const cause = error instanceof StepError ? error.cause : error;
      const lost = cause instanceof LostRank ? cause.rank : null;
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#dealer.send('failure', { job: this.job, ...this.#place, reason, lost });
    }
  }
}

/** Lets another rank in that says the right things, and nobody else. */
function welcome(link: Link, token: string, work: () => Work | null): void {
  const late = () => link.refuse(`a rank expected a hello within ${HELLO_MS} ms`);
  const callOff = whenLate(HELLO_MS, late);
  link.ended = callOff;
  link.receive = (frame) => {
    callOff();
    const hello = headerOf(peerHello, frame);
    const current = work();
    if (!isToken(hello.token, token))
      throw new RangeError('a rank expected the "token" of its run');
    if (current?.job !== hello.job) {
      throw new RangeError(`a rank expected "job" ${current?.job}, got ${hello.job}`);
    }
    current.ends.attach(hello.from, link);
  };
}

/** Listens for other ranks where whoever deals out can be reached from here. */
function listen(host: string, onLink: (link: Link) => void): Promise<Server> {
  const server = createServer((socket) => onLink(new Link(socket, STRANGER)));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port: 0 }, () => resolve(server));
  });
}

const portOf = (server: Server): number => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server has no port');
  return address.port;
};

/** Connects, where nobody listens yet again and again. */
async function reach(address: Address, timeoutMs: number): Promise<Link> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await linkTo(address, FROM_DEALER, Math.max(1, deadline - Date.now()));
    } catch (error) {
      if (Date.now() + AGAIN_MS >= deadline) throw error;
      await new Promise((go) => setTimeout(go, AGAIN_MS));
    }
  }
}

/**
 * Serves as a rank of runs that are dealt out at an address, until it is told that they are over.
 * Throws where it is refused, and RunFailed where a run that it has a part in ends before.
 */
export async function serveRank(options: RankOptions): Promise<void> {
  const { host, port, token, name = '', connectTimeoutMs = HELLO_MS, silenceMs } = options;
  const dealer = await reach({ host, port }, connectTimeoutMs);
  let work: Work | null = null;
  const own = dealer.socket.localAddress ?? host;
  const server = await listen(own, (link) => welcome(link, token, () => work));
  const onFrame = (frame: Frame, over: () => void): void => {
    if (frame.kind === 'refused') throw new Error(headerOf(refused, frame).reason);
    if (frame.kind === 'alive') return;
    if (frame.kind === 'job') {
      work?.ends.close();
      work = new Work(headerOf(jobHeader, frame), frame.payload, dealer, options.onStep);
      dealer.send('ready', { job: work.job });
    } else if (frame.kind === 'go') {
      const { job, addresses } = headerOf(goHeader, frame);
      if (work?.job !== job) throw new RangeError(`"job" expected ${work?.job}, got ${job}`);
      void work.start(addresses, token);
    } else {
      work?.ends.close();
      work = null;
      if (headerOf(doneHeader, frame).last) over();
    }
  };
  try {
    await new Promise<void>((over, reject) => {
      dealer.receive = (frame) => {
        dealer.receive = (later) => onFrame(later, over);
        if (silenceMs !== undefined) dealer.expect('no word of the run', silenceMs);
        onFrame(frame, over);
      };
      dealer.ended = (reason) => {
        const sentence = `${host}:${port}: ${reason}`;
        reject(work === null ? new Error(sentence) : new RunFailed(sentence));
      };
      dealer.send('hello', { role: 'rank', token, name, port: portOf(server) });
      if (silenceMs !== undefined) dealer.expect('no answer to the hello', connectTimeoutMs);
    });
  } finally {
    (work as Work | null)?.ends.close();
    dealer.close();
    server.close();
  }
}
