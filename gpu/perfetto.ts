/**
 * A run as a trace that opens in Perfetto (ui.perfetto.dev) and chrome://tracing.
 *
 * The trace event format of Chromium: one process, one track a rank, a slice an operation; an arrow
 * from every send to its receive. Times are microseconds from the first event.
 * @module
 */
import type { Operation } from './schedule.ts';

/** One operation in time, seconds. */
export interface Span {
  readonly rank: number;
  readonly direction: string;
  readonly operation: Operation;
  readonly begin: number;
  readonly end: number;
  readonly bytes: number;
}

/** A slice's name: what is done, and to what. */
export function spanName({ operation: o }: Pick<Span, 'operation'>): string {
  switch (o.op) {
    case 'send':
      return `send ${o.lane} ${o.blocks.join(',')} to ${o.to}`;
    case 'receive':
      return `receive ${o.lane} ${o.blocks.join(',')} from ${o.from}`;
    case 'computeBlock':
      return `${o.query} × ${o.keys}`;
    case 'merge':
      return `merge ${o.buffer} into ${o.into}`;
    case 'finish':
      return `finish ${o.buffer}`;
    default:
      return o.op;
  }
}

const microseconds = (seconds: number): number => Math.round(seconds * 1e9) / 1e3;

/** Arrows: the n-th send of a channel to its n-th receive. */
function arrows(spans: readonly Span[], start: number): object[] {
  const counts = new Map<string, number>();
  return spans.flatMap(({ rank, operation: o, begin, end }): object[] => {
    if (o.op !== 'send' && o.op !== 'receive') return [];
    const sends = o.op === 'send';
    const channel = sends ? `${rank}-${o.to}-${o.lane}` : `${o.from}-${rank}-${o.lane}`;
    const key = `${o.op} ${channel}`;
    const n = counts.get(key) ?? 0;
    counts.set(key, n + 1);
    const at = sends ? begin : end;
    const arrow = { cat: 'message', name: o.lane, id: `${channel}-${n}`, pid: 0, tid: rank };
    const ts = microseconds(at - start);
    return [sends ? { ...arrow, ph: 's', ts } : { ...arrow, ph: 'f', bp: 'e', ts }];
  });
}

/** The trace as a JSON value. */
export function perfettoTrace(spans: readonly Span[], title: string): object {
  const start = spans.reduce(
    (least, { begin }) => Math.min(least, begin),
    Number.POSITIVE_INFINITY,
  );
  const ranks = [...new Set(spans.map(({ rank }) => rank))].sort((a, b) => a - b);
  const names = ranks.map((rank) => ({
    ph: 'M',
    name: 'thread_name',
    pid: 0,
    tid: rank,
    args: { name: `rank ${rank}` },
  }));
  const slices = spans.map((span) => ({
    ph: 'X',
    cat: span.operation.op,
    name: spanName(span),
    pid: 0,
    tid: span.rank,
    ts: microseconds(span.begin - start),
    dur: microseconds(span.end - span.begin),
    args: { direction: span.direction, bytes: span.bytes, ...span.operation },
  }));
  const process = { ph: 'M', name: 'process_name', pid: 0, args: { name: title } };
  return {
    displayTimeUnit: 'ms',
    traceEvents: [process, ...names, ...slices, ...arrows(spans, start)],
  };
}
