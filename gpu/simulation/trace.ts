/**
 * A simulation as a trace that Perfetto and chrome://tracing open: a process per rank, a thread each
 * for computing, sending and waiting, times in microseconds. Written as it is simulated, for events of
 * a thousand ranks are too many to hold.
 * @module
 */
import type { Lane, Note } from './clock.ts';
import type { Programs } from './program.ts';

const LANES: readonly Lane[] = ['compute', 'link', 'wait'];
const MICROSECONDS = 1e6;

/** The JSON text of the Trace Event Format, piece by piece: what `note` is told, then its `end`. */
export interface TraceWriter {
  /** Passes follow each other: times of what comes now begin there. */
  begin(programs: Programs, offset_s: number): void;
  readonly note: Note;
  end(): void;
}

export function traceWriter(write: (text: string) => void): TraceWriter {
  let [nameOf, offset, separator]: [Programs['nameOf'], number, string] = [() => '', 0, ''];
  let named = 0;
  const put = (event: object): void => {
    write(`${separator}${JSON.stringify(event)}`);
    separator = ',\n';
  };
  const name = (kind: string, pid: number, tid: number, as: string): void =>
    put({ name: kind, ph: 'M', pid, tid, args: { name: as } });
  write('{"displayTimeUnit":"ms","traceEvents":[\n');
  return {
    begin: (programs, offset_s) => {
      [nameOf, offset] = [programs.nameOf, offset_s];
      for (; named < programs.ranks; named++) {
        name('process_name', named, 0, `rank ${named}`);
        for (const [thread, lane] of LANES.entries()) name('thread_name', named, thread, lane);
      }
    },
    note: (rank, lane, start_s, end_s, source, bytes) =>
      put({
        ...{ name: nameOf(rank, source), cat: lane, ph: 'X', pid: rank, tid: LANES.indexOf(lane) },
        ts: (offset + start_s) * MICROSECONDS,
        dur: (end_s - start_s) * MICROSECONDS,
        ...(lane === 'link' ? { args: { bytes } } : {}),
      }),
    end: () => write('\n]}\n'),
  };
}
