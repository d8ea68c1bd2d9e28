/**
 * The simulated transport: all ranks in one thread, one operation at a time, in any order.
 *
 * A schedule that is right gives the same bits under every interleaving; a seed makes any one of
 * them repeatable. Faults may be planned (faults.ts); time is counted in turns, and where no rank can
 * move it goes on to when the next message arrives.
 * @module
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Awaitable } from '../device/device.ts';
import type { Kind } from '../schedule.ts';
import { showLabel } from '../wire.ts';
import { type Faults, NO_FAULTS } from './faults.ts';
import type { Message, Place, Transport } from './transport.ts';

/** Which of the ranks that could move moves next. */
export type Choose = (open: readonly number[]) => Awaitable<number>;

/** Any one of them, by a seed. */
export function chooseBySeed(seed: number): Choose {
  const random = xoroshiro128plus(seed);
  return (open) => open[uniformInt(random, 0, open.length - 1)] ?? 0;
}

/** A rank that waits: for what, and whether it is there. */
interface Waiting {
  readonly what: string;
  readonly isOpen: () => boolean;
  /** Where nothing is on the way any more: what has been lost, so that it waits in vain; or null. */
  readonly lost: () => string | null;
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}

interface Channel {
  readonly from: number;
  readonly to: number;
  readonly lane: Kind;
  /** Whether the sender takes it for full. */
  full: boolean;
  freed: number;
  readonly arrived: Message[];
  /** What was sent last; how many were, and how many of them were taken. */
  last: Message | null;
  sent: number;
  taken: number;
}

/** What a receiver waits for in vain, where its sender has sent more than has come. */
function lostMessage({ from, last, sent, taken }: Channel): string | null {
  if (last === null || sent <= taken) return null;
  const { lane, pass, step, label } = last;
  return (
    `waited for message ${taken} from rank ${from} on lane ${lane}, which was lost: rank ${from} has ` +
    `sent ${sent}, the last one in its pass ${pass}, step ${step}, ${showLabel(label)}`
  );
}

/** What a sender waits for in vain, where its receiver has taken all that was sent. */
function lostAnswer({ to, last, full, sent, taken }: Channel): string | null {
  if (last === null || !full || sent > taken) return null;
  const { lane, label } = last;
  return (
    `waited for rank ${to} to take what is on lane ${lane}, ${showLabel(label)}: it has, and that it ` +
    'has was lost'
  );
}

const NEVER = Number.POSITIVE_INFINITY;

/** A message on the way. */
interface Flying {
  readonly message: Message;
  /** Where it arrives, whatever its header says. */
  readonly channel: Channel;
  /** The turn in which it arrives; NEVER: after one on another lane. */
  due: number;
}

/** Channels in memory, and the turns of all ranks. */
class Network {
  readonly #channels = new Map<string, Channel>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #places = new Map<number, Place>();
  readonly #faults: Faults;
  readonly #timeoutMs: number;
  #flying: Flying[] = [];
  #now = 0;
  /** Ranks that have been let go and have not come back. */
  readonly #running = new Set<number>();
  #idle: () => void = () => undefined;

  constructor(ranks: number, { faults = NO_FAULTS, timeoutMs = 60_000 }: Conditions) {
    for (let rank = 0; rank < ranks; rank++) this.#running.add(rank);
    [this.#faults, this.#timeoutMs] = [faults, timeoutMs];
  }

  #channel(from: number, to: number, lane: Kind): Channel {
    const key = `${from}/${to}/${lane}`;
    const none = { last: null, sent: 0, taken: 0 };
    const empty: Channel = { from, to, lane, full: false, freed: 0, arrived: [], ...none };
    const channel = this.#channels.get(key) ?? empty;
    this.#channels.set(key, channel);
    return channel;
  }

  #wait(
    rank: number,
    what: string,
    isOpen: () => boolean,
    lost: () => string | null = () => null,
  ): Promise<void> {
    return new Promise((go, fail) => {
      this.#waiting.set(rank, { what, isOpen, lost, go, fail });
      this.leave(rank);
    });
  }

  /** A rank is not running any more. */
  leave(rank: number): void {
    this.#running.delete(rank);
    if (this.#running.size === 0) this.#idle();
  }

  #put(message: Message): void {
    const { from, to, lane } = message;
    const arrivals = this.#faults.carry({ ...message, payload: message.payload.slice() });
    const channel = this.#channel(from, to, lane);
    // Of what is lost the sender learns nothing.
    channel.full = arrivals.length > 0;
    channel.last = message;
    channel.sent++;
    for (const late of this.#flying) {
      const { channel: own, due } = late;
      const isOvertaken = own.from === from && own.to === to && own.lane !== lane;
      if (due === NEVER && isOvertaken) late.due = this.#now + 1;
    }
    for (const { message: carried, after } of arrivals) {
      this.#flying.push({ message: carried, channel, due: this.#now + after });
    }
    this.#arrive();
  }

  #arrive(): void {
    const there = this.#flying.filter(({ due }) => due <= this.#now);
    this.#flying = this.#flying.filter(({ due }) => due > this.#now);
    for (const { message, channel } of there) channel.arrived.push(message);
  }

  transportOf(rank: number): Transport {
    return {
      turn: (place) => {
        this.#places.set(rank, place);
        const fate = this.#faults.turn(rank, place);
        if (fate === 'die') throw new Error('the rank has died');
        if (fate === 'stall') {
          const stalled = 'it has stalled';
          return this.#wait(
            rank,
            `nothing: ${stalled}`,
            () => false,
            () => stalled,
          );
        }
        return this.#wait(rank, 'its turn', () => true);
      },
      ready: async (to, lane) => {
        const channel = this.#channel(rank, to, lane);
        const what = `rank ${to} to take what is on lane ${lane}`;
        const lost = () => lostAnswer(channel);
        await this.#wait(rank, what, () => !channel.full, lost);
        return channel.freed;
      },
      put: (message) => this.#put(message),
      take: async (from, lane) => {
        const channel = this.#channel(from, rank, lane);
        const what = `a message from rank ${from} on lane ${lane}`;
        const lost = () => lostMessage(channel);
        await this.#wait(rank, what, () => channel.arrived.length > 0, lost);
        const [message] = channel.arrived;
        if (message === undefined) throw new Error('a channel was emptied by another rank');
        return message;
      },
      free: (from, lane, stamp) => {
        const channel = this.#channel(from, rank, lane);
        const message = channel.arrived.shift();
        channel.taken++;
        if (message === undefined || !this.#faults.acknowledge(message)) return;
        [channel.full, channel.freed] = [false, stamp];
      },
    };
  }

  /** Waits until every rank waits or has left. Throws where that takes too long. */
  async #settle(): Promise<void> {
    if (this.#running.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#idle = resolve;
      timer = setTimeout(() => {
        const [rank = 0] = this.#running;
        const { pass, step } = this.#places.get(rank) ?? { pass: 0, step: 0 };
        const late = `rank ${rank}, pass ${pass}, step ${step}`;
        reject(new Error(`${late}: it has not come back within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs);
    }).finally(() => clearTimeout(timer));
  }

  /** The ranks that can move. Where there are none, time goes on until a message makes one. */
  #open(waiting: readonly (readonly [number, Waiting])[]): number[] {
    for (;;) {
      this.#arrive();
      const open = waiting.filter(([, { isOpen }]) => isOpen()).map(([rank]) => rank);
      if (open.length > 0 || this.#flying.length === 0) return open;
      const next = Math.min(...this.#flying.map(({ due }) => due));
      if (next < NEVER) this.#now = next;
      else for (const flying of this.#flying) flying.due = this.#now;
    }
  }

  /** Lets ranks go one at a time until none is left; an error where all that are left wait. */
  async conduct(choose: Choose): Promise<void> {
    for (;;) {
      await this.#settle();
      this.#now++;
      const waiting = [...this.#waiting].sort(([a], [b]) => a - b);
      if (waiting.length === 0) return;
      const open = this.#open(waiting);
      if (open.length === 0 && this.#failWhoWaitsInVain(waiting)) continue;
      if (open.length === 0) {
        const all = waiting.map(([rank, { what }]) => `rank ${rank} waits for ${what}`).join('; ');
        this.stop(new Error(`deadlock: ${all}`));
        return;
      }
      const chosen = await choose(open);
      const next = this.#waiting.get(chosen);
      if (next === undefined || !open.includes(chosen)) {
        throw new RangeError(`a choice expected one of the ranks ${open}, got ${chosen}`);
      }
      this.#waiting.delete(chosen);
      this.#running.add(chosen);
      next.go();
    }
  }

  /** The rank fails from which something was lost, so that others wait for it. False where none is. */
  #failWhoWaitsInVain(waiting: readonly (readonly [number, Waiting])[]): boolean {
    for (const [rank, { lost, fail }] of waiting) {
      const what = lost();
      if (what === null) continue;
      this.#waiting.delete(rank);
      this.#running.add(rank);
      fail(new Error(what));
      return true;
    }
    return false;
  }

  /** Every rank that waits fails. */
  stop(error: Error): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [rank, { fail }] of waiting) {
      this.#running.add(rank);
      fail(error);
    }
  }
}

/** What a run on one thread meets. */
export interface Conditions {
  /** None when absent. */
  readonly faults?: Faults;
  /** How long a rank may take for one operation, milliseconds. */
  readonly timeoutMs?: number;
}

/**
 * Runs every rank's task, one operation of one rank at a time. Throws the first error of a task, or
 * an error that names what every rank waits for where none can move.
 */
export async function runSimulated<T>(
  tasks: readonly ((transport: Transport) => Promise<T>)[],
  choose: Choose,
  conditions: Conditions = {},
): Promise<T[]> {
  const network = new Network(tasks.length, conditions);
  let failure: { readonly error: unknown } | null = null;
  const results = tasks.map(async (task, rank) => {
    try {
      return await task(network.transportOf(rank));
    } catch (error) {
      failure ??= { error };
      throw error;
    } finally {
      network.leave(rank);
      if (failure !== null) network.stop(new Error('another rank has failed'));
    }
  });
  const settled = Promise.allSettled(results);
  try {
    if (tasks.length > 0) await network.conduct(choose);
  } catch (error) {
    network.stop(new Error('the run has ended'));
    throw error;
  }
  await settled;
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
  return Promise.all(results);
}
