/**
 * A run as a picture: every operation of every rank when it really happened.
 * @module
 */
import type { RankEvent } from '../../gpu/interpreter.ts';
import type { Operation } from '../../gpu/schedule.ts';
import { nameAt } from '../../gpu/span-names.ts';
import {
  RANKS_SHOWN,
  type TimelineLane,
  type TimelineSpan,
  timelineSvg,
} from '../../gpu/timeline-svg.ts';

const LANES: Partial<Record<Operation['op'], TimelineLane>> = { send: 'send', receive: 'wait' };

/** The log of a run with `timing`. */
export function runSvg(
  log: readonly RankEvent[],
  { title, ranks }: { readonly title: string; readonly ranks: number },
): string {
  const timed = log.flatMap((event) => (event.at === null ? [] : [{ ...event, at: event.at }]));
  const begin = timed.reduce((least, { at }) => Math.min(least, at[0]), Number.POSITIVE_INFINITY);
  const end = timed.reduce((most, { at }) => Math.max(most, at[1]), begin);
  const lists = new Map<string, Operation[]>();
  const passes = new Map<number, { name: string; start_s: number }>();
  for (const { rank, pass, step, direction, operation, at } of timed) {
    const key = `${pass} ${rank}`;
    const list = lists.get(key) ?? [];
    list[step] = operation;
    lists.set(key, list);
    const start_s = Math.min(passes.get(pass)?.start_s ?? Number.POSITIVE_INFINITY, at[0] - begin);
    passes.set(pass, { name: direction, start_s });
  }
  const spans = timed
    .filter(({ rank }) => rank < RANKS_SHOWN)
    .flatMap(({ rank, pass, step, operation, at: [from, to], waited }): TimelineSpan[] => {
      const label = nameAt(lists.get(`${pass} ${rank}`) ?? [], rank, step);
      const span = (lane: TimelineLane, start: number, end: number, what = label) => ({
        ...{ rank, lane, start_s: start - begin, end_s: end - begin, label: what },
      });
      const lane = LANES[operation.op] ?? 'compute';
      if (waited === null) return [span(lane, from, to)];
      // A send: what is sent is made ready, waits until the channel is free, and is copied into it.
      const [blocked, free] = waited;
      const waits = span('wait', blocked, free, `${label}: until the channel is free`);
      return [span(lane, from, blocked), waits, span(lane, free, to)];
    });
  return timelineSvg({
    ...{ title, ranks, seconds: Math.max(end - begin, 1e-9), spans },
    sending: 'sending',
    passes: [...passes.values()],
    notes: ['Times of this machine’s clock; "computing" is every operation that is no message.'],
  });
}
