/**
 * The simulated transport: all ranks in one thread, interleaved by a seed.
 *
 * A schedule that is right gives the same bits under every interleaving; a seed makes any one of
 * them repeatable.
 * @module
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Lane } from '../schedule.ts';
import type { Message, Transport } from './transport.ts';

/** Channels in memory. */
export function simulatedTransport(): Transport {
  const channels = new Map<string, Message>();
  let events = 0;
  const nextOrder = (): number => events++;
  const key = (rank: number, lane: Lane): string => `${rank}/${lane}`;
  return {
    trySend: (to, lane, message) => {
      if (channels.has(key(to, lane))) return null;
      channels.set(key(to, lane), { ...message, payload: message.payload.slice() });
      return nextOrder();
    },
    tryReceive: (rank, lane) => {
      const message = channels.get(key(rank, lane));
      channels.delete(key(rank, lane));
      return message === undefined ? null : { ...message, order: nextOrder() };
    },
    nextOrder,
  };
}

/**
 * Runs coroutines until all are done, choosing the next by the seed. Throws when every one of them
 * has yielded without any progress: a deadlock.
 */
export function interleave<T>(ranks: readonly Generator<boolean, T>[], seed: number): T[] {
  const random = xoroshiro128plus(seed);
  const results = new Map<number, T>();
  let waiting = new Set<number>();
  while (results.size < ranks.length) {
    const open = ranks.map((_, n) => n).filter((n) => !results.has(n) && !waiting.has(n));
    const chosen = open[open.length === 0 ? 0 : uniformInt(random, 0, open.length - 1)];
    const rank = chosen === undefined ? undefined : ranks[chosen];
    if (chosen === undefined || rank === undefined) {
      throw new Error(`deadlock: ranks ${[...waiting].join(', ')} all wait`);
    }
    const step = rank.next();
    if (step.done === true) results.set(chosen, step.value);
    if (step.done === true || step.value) waiting = new Set();
    else waiting.add(chosen);
  }
  return ranks.map((_, n) => results.get(n) as T);
}
