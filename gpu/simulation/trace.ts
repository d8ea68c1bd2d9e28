/**
 * A simulation as a trace that Perfetto and chrome://tracing open: a process per rank, a thread each
 * for computing, sending and waiting, times in microseconds.
 * @module
 */
import type { Simulation, TimedEvent } from './clock.ts';

const LANES: readonly TimedEvent['lane'][] = ['compute', 'link', 'wait'];
const MICROSECONDS = 1e6;

/** The JSON object of the Trace Event Format. */
export interface Trace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly Readonly<Record<string, unknown>>[];
}

export function traceOf({ events, bytes_sent }: Simulation): Trace {
  const named = (name: string, pid: number, tid: number, as: string) => ({
    ...{ name, ph: 'M', pid, tid },
    args: { name: as },
  });
  const names = bytes_sent.flatMap((_, rank) => [
    named('process_name', rank, 0, `rank ${rank}`),
    ...LANES.map((lane, thread) => named('thread_name', rank, thread, lane)),
  ]);
  const spans = events.map(({ rank, lane, start_s, end_s, label, bytes }) => ({
    ...{ name: label, cat: lane, ph: 'X', pid: rank, tid: LANES.indexOf(lane) },
    ts: start_s * MICROSECONDS,
    dur: (end_s - start_s) * MICROSECONDS,
    ...(lane === 'link' ? { args: { bytes } } : {}),
  }));
  return { displayTimeUnit: 'ms', traceEvents: [...names, ...spans] };
}
