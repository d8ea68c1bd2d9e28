/**
 * Which step of which rank sends what another one receives: of one pass, channel by channel;
 * and what to say of one that does not come.
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

/**
 * Of a message that a rank waits for in vain: which block, and whether its sender has sent it, by where
 * that one was last. Empty where the rank waits for none.
 */
export function sentOrNot(
  passes: readonly Schedule[],
  rank: number,
  place: Place,
  lastOf: (rank: number) => Place,
): string {
  const sent = sentFor(passes, rank, place);
  if (sent === null) return '';
  const { from, at, blocks } = sent;
  const last = lastOf(from);
  const has = last.pass > at.pass || (last.pass === at.pass && last.step > at.step);
  const block = `block${blocks.length === 1 ? '' : 's'} ${blocks.join(', ') || 'none'}`;
  const where = `its pass ${at.pass}, step ${at.step}`;
  if (has) return `: ${block}, which it has sent in ${where}`;
  return `: ${block}, which it sends in ${where}, and was last at pass ${last.pass}, step ${last.step}`;
}
