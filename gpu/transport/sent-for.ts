/**
 * Which step of which rank sends what another one receives: of one pass, channel by channel.
 * @module
 */
import type { Schedule } from '../schedule.ts';
import type { Place } from './transport.ts';

export interface SentFor {
  readonly from: number;
  /** Where it sends it. */
  readonly at: Place;
  readonly blocks: readonly number[];
}

/** What a rank receives at a step of its list; null where it receives nothing there. */
export function sentFor(
  passes: readonly Schedule[],
  rank: number,
  { pass, step }: Place,
): SentFor | null {
  const lists = passes[pass]?.ranks ?? [];
  const own = lists[rank] ?? [];
  const receive = own[step];
  if (receive?.op !== 'receive') return null;
  const { from, lane, blocks } = receive;
  const before = own
    .slice(0, step)
    .filter((o) => o.op === 'receive' && o.from === from && o.lane === lane).length;
  const sends = (lists[from] ?? []).flatMap((o, at) =>
    o.op === 'send' && o.to === rank && o.lane === lane ? [at] : [],
  );
  const at = sends[before];
  return at === undefined ? null : { from, at: { pass, step: at }, blocks };
}
