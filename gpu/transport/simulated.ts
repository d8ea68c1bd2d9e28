/**
 * The simulated transport: all ranks in one thread, one operation at a time, in any order.
 *
 * A schedule that is right gives the same bits under every interleaving; a seed makes any one of
 * them repeatable.
 * @module
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Awaitable } from '../device/device.ts';
import type { Kind } from '../schedule.ts';
import type { Message, Transport } from './transport.ts';

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
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}

interface Channel {
  message: Message | null;
  freed: number;
}

/** Channels in memory, and the turns of all ranks. */
class Network {
  readonly #channels = new Map<string, Channel>();
  readonly #waiting = new Map<number, Waiting>();
  /** Ranks that have been let go and have not come back. */
  #running: number;
  #idle: () => void = () => undefined;

  constructor(ranks: number) {
    this.#running = ranks;
  }

  #channel(from: number, to: number, lane: Kind): Channel {
    const key = `${from}/${to}/${lane}`;
    const channel = this.#channels.get(key) ?? { message: null, freed: 0 };
    this.#channels.set(key, channel);
    return channel;
  }

  #wait(rank: number, what: string, isOpen: () => boolean): Promise<void> {
    return new Promise((go, fail) => {
      this.#waiting.set(rank, { what, isOpen, go, fail });
      this.leave();
    });
  }

  /** One rank less is running. */
  leave(): void {
    this.#running--;
    if (this.#running === 0) this.#idle();
  }

  transportOf(rank: number): Transport {
    return {
      turn: () => this.#wait(rank, 'its turn', () => true),
      ready: async (to, lane) => {
        const channel = this.#channel(rank, to, lane);
        const what = `rank ${to} to take what is on lane ${lane}`;
        await this.#wait(rank, what, () => channel.message === null);
        return channel.freed;
      },
      put: (to, lane, message) => {
        const payload = message.payload.slice();
        this.#channel(rank, to, lane).message = { ...message, payload };
      },
      take: async (from, lane) => {
        const channel = this.#channel(from, rank, lane);
        const what = `a message from rank ${from} on lane ${lane}`;
        await this.#wait(rank, what, () => channel.message !== null);
        if (channel.message === null) throw new Error('a channel was emptied by another rank');
        return channel.message;
      },
      free: (from, lane, stamp) => {
        const channel = this.#channel(from, rank, lane);
        [channel.message, channel.freed] = [null, stamp];
      },
    };
  }

  /** Lets ranks go one at a time until none is left; an error where all that are left wait. */
  async conduct(choose: Choose): Promise<void> {
    for (;;) {
      if (this.#running > 0) {
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
      }
      const waiting = [...this.#waiting].sort(([a], [b]) => a - b);
      if (waiting.length === 0) return;
      const open = waiting.filter(([, { isOpen }]) => isOpen()).map(([rank]) => rank);
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
      this.#running++;
      next.go();
    }
  }

  /** Every rank that waits fails. */
  stop(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { fail } of waiting) {
      this.#running++;
      fail(error);
    }
  }
}

/**
 * Runs every rank's task, one operation of one rank at a time. Throws the first error of a task, or
 * an error that names what every rank waits for where none can move.
 */
export async function runSimulated<T>(
  tasks: readonly ((transport: Transport) => Promise<T>)[],
  choose: Choose,
): Promise<T[]> {
  const network = new Network(tasks.length);
  let failure: { readonly error: unknown } | null = null;
  const results = tasks.map(async (task, rank) => {
    try {
      return await task(network.transportOf(rank));
    } catch (error) {
      failure ??= { error };
      throw error;
    } finally {
      network.leave();
      if (failure !== null) network.stop(new Error('another rank has failed'));
    }
  });
  const settled = Promise.allSettled(results);
  if (tasks.length > 0) await network.conduct(choose);
  await settled;
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
  return Promise.all(results);
}
