/**
 * The crew: ranks in processes of their own, started here or connected from elsewhere, that stay
 * between runs.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { built } from '../built.ts';
import { type Frame, type Limits, SMALL, STRANGER } from './frames.ts';
import { headerOf, isToken, rankHello } from './headers.ts';
import { type Address, Link, whenLate } from './link.ts';
import { HELLO_MS } from './rank-server.ts';

/** How long a process that has closed its connection may take to end, and so say why. */
const ENDING_MS = 500;
const SENTENCE_BYTES = 2000;
/** How often ranks from elsewhere are told that their run is still there. */
export const ALIVE_MS = 1000;

const FROM_RANK: Limits = {
  ready: SMALL,
  at: SMALL,
  failure: SMALL,
  refused: SMALL,
  result: { header: 2 ** 28, payload: 2 ** 32 - 1 },
};

/** Where ranks from elsewhere are to connect, and what they must know. */
export interface Listening extends Address {
  readonly token: string;
  /** Told of each stranger that was turned away: where it came from, and why. Waiting goes on. */
  readonly onRefused?: (from: string, reason: string) => void;
}

/** One rank's process, as whoever deals out sees it. */
export class Member {
  readonly link: Link;
  /** Where other ranks reach it. */
  readonly address: Address;
  readonly child: Child | null;
  receive: (frame: Frame) => void = () => undefined;
  ended: (reason: string) => void = () => undefined;

  constructor(link: Link, port: number, child: Child | null) {
    this.address = { host: link.socket.remoteAddress ?? '', port };
    [this.link, this.child] = [link, child];
    link.allow(FROM_RANK);
    link.receive = (frame) => this.receive(frame);
    link.ended = (reason) => void this.#end(reason);
  }

  async #end(reason: string): Promise<void> {
    const how = await this.child?.endWithin(ENDING_MS);
    this.ended(how ?? `its connection was lost: ${reason}`);
  }
}

/** A process that was started here. */
class Child {
  readonly name = randomBytes(8).toString('hex');
  readonly process: ChildProcess;
  readonly #exited: Promise<string>;
  #said = '';

  constructor({ host, port }: Address, token: string) {
    const env = { ...process.env, XATTN_TOKEN: token, XATTN_RANK_NAME: this.name };
    const file = built('transport/rank-main');
    const stdio = ['ignore', 'ignore', 'pipe'] as const;
    this.process = spawn(process.execPath, [file, host, String(port)], { env, stdio: [...stdio] });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString('utf8')).slice(-SENTENCE_BYTES);
    });
    this.#exited = new Promise((resolve) => {
      this.process.once('error', ({ message }) => resolve(`it could not be started: ${message}`));
      this.process.once('exit', (code, signal) => {
        const how = signal === null ? `left with status ${code}` : `was ended by ${signal}`;
        const said = this.#said.trim();
        resolve(`its process ${how}${said === '' ? '' : `: ${said}`}`);
      });
    });
  }

  /** How it has ended; null where it goes on. */
  async endWithin(ms: number): Promise<string | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ms);
    });
    return Promise.race([this.#exited, late]).finally(() => clearTimeout(timer));
  }

  get exited(): Promise<string> {
    return this.#exited;
  }

  hold(held: boolean): void {
    const { process: child } = this;
    const stderr = child.stderr as unknown as { ref(): void; unref(): void } | null;
    for (const one of [child, stderr]) {
      if (held) one?.ref();
      else one?.unref();
    }
  }
}

export class Crew {
  readonly token: string;
  readonly #server: Server;
  readonly #address: Address;
  readonly #spawning: boolean;
  readonly #onRefused: Listening['onRefused'];
  readonly #children = new Set<Child>();
  #members: Member[] = [];
  #refused: string | null = null;
  #left = 0;
  readonly #alive: NodeJS.Timeout | undefined;
  readonly #kill = (): void => {
    for (const child of this.#children) child.process.kill('SIGKILL');
  };
  #changed: () => void = () => undefined;

  private constructor(server: Server, address: Address, token: string, at: Listening | null) {
    [this.#server, this.#address, this.token] = [server, address, token];
    [this.#spawning, this.#onRefused] = [at === null, at?.onRefused];
    server.on('connection', (socket) => this.#welcome(new Link(socket, STRANGER)));
    // However this process leaves: a kernel hears of a closed connection only when it has ended.
    process.on('exit', this.#kill);
    if (at === null) return;
    const tell = () => this.#members.forEach(({ link }) => void link.send('alive', {}));
    this.#alive = setInterval(tell, ALIVE_MS).unref();
  }

  /** Starts processes here; or, with `listening`, waits for ranks from elsewhere. */
  static async open(listening: Listening | null): Promise<Crew> {
    const server = createServer();
    server.listen({ host: listening?.host ?? '127.0.0.1', port: listening?.port ?? 0 });
    await once(server, 'listening');
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('a server has no port');
    const address = { host: listening?.host ?? '127.0.0.1', port: bound.port };
    const token = listening?.token ?? randomBytes(32).toString('hex');
    return new Crew(server, address, token, listening);
  }

  #welcome(link: Link): void {
    // Later it is not known any more.
    const from = link.socket.remoteAddress ?? 'an address that is gone';
    const refuse = (reason: string): void => {
      this.#refused = `${from}: ${reason}`;
      this.#onRefused?.(from, reason);
    };
    const late = `expected a hello within ${HELLO_MS} ms`;
    const callOff = whenLate(HELLO_MS, () => {
      refuse(late);
      link.refuse(late);
    });
    link.ended = (reason) => {
      callOff();
      refuse(reason);
    };
    link.receive = (frame) => {
      callOff();
      const { token, port, name } = headerOf(rankHello, frame);
      if (!isToken(token, this.token)) throw new RangeError('expected the "token" of this run');
      const child = [...this.#children].find((one) => one.name === name) ?? null;
      if (this.#spawning && child === null)
        throw new RangeError('expected a "name" that was given');
      const member = new Member(link, port, child);
      member.ended = () => this.#leave(member);
      this.#members.push(member);
      link.send('alive', {});
      this.#changed();
    };
  }

  /** A rank has gone again that has no part in a run. */
  #leave(member: Member): void {
    this.#left++;
    this.#members = this.#members.filter((one) => one !== member);
  }

  /** So many ranks. Throws where they are not there in time, or one has ended before it was. */
  async gather(ranks: number, timeoutMs: number): Promise<readonly Member[]> {
    this.#members = this.#members.filter(({ link }) => link.isOpen);
    const missing = this.#spawning ? ranks - this.#members.length : 0;
    const started = Array.from({ length: Math.max(0, missing) }, () => this.#start());
    const endings = started.map(async (child) => {
      const how = await child.exited;
      throw new Error(`a rank's process has not come to say hello: ${how}`);
    });
    const enough = new Promise<void>((resolve) => {
      this.#changed = () => {
        if (this.#members.length >= ranks) resolve();
      };
      this.#changed();
    });
    let callOff = () => {};
    const late = new Promise<never>((_, reject) => {
      callOff = whenLate(timeoutMs, () => reject(new Error(this.#late(ranks, timeoutMs))));
    });
    for (const one of endings) one.catch(() => undefined);
    await Promise.race([enough, late, ...endings]).finally(() => callOff());
    this.hold(true);
    return this.#members.slice(0, ranks);
  }

  #late(ranks: number, timeoutMs: number): string {
    const { host, port } = this.#address;
    const who = this.#refused === null ? '' : `; refused was ${this.#refused}`;
    const gone = this.#left === 0 ? '' : `; ${this.#left} came and left before the run began`;
    return (
      `expected ${ranks} ranks to connect to ${host}:${port} within ${timeoutMs} ms, ` +
      `got ${this.#members.length}${gone}${who}`
    );
  }

  #start(): Child {
    const child = new Child(this.#address, this.token);
    this.#children.add(child);
    return child;
  }

  /** Whether it keeps the process alive. */
  hold(held: boolean): void {
    if (held) this.#server.ref();
    else this.#server.unref();
    for (const { link } of this.#members) link.hold(held);
    for (const child of this.#children) child.hold(held);
  }

  /** All are told that no other run follows, or why; and are ended. */
  async close(reason: string | null = null): Promise<void> {
    this.#server.close();
    clearInterval(this.#alive);
    process.off('exit', this.#kill);
    for (const { link } of this.#members) {
      if (reason === null) link.send('done', { last: true });
      else link.refuse(`the run has ended: ${reason}`);
    }
    for (const child of this.#children) if (reason !== null) child.process.kill('SIGKILL');
    this.hold(true);
    await Promise.all([...this.#children].map((child) => this.#endOf(child)));
    for (const { link } of this.#members) if (reason === null) link.socket.end();
  }

  /** Waits until a process has left by itself, and ends it where it does not. */
  async #endOf(child: Child): Promise<void> {
    if ((await child.endWithin(ENDING_MS)) === null) child.process.kill('SIGKILL');
    await child.exited;
  }
}
