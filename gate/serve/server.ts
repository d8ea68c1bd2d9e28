/**
 * The judge as a server: JSON lines in, one JSON line out for each, in the order of their completion.
 *
 * What is held is bounded: a line by its length, and the requests that are not answered yet, answers
 * that nobody has read included, by number and bytes; beyond that nothing more is read.
 * @module
 */
import type { Readable, Writable } from 'node:stream';
import { lineSplitter } from '../protocol.ts';
import { speakable } from '../report/json.ts';
import { type JudgingPool, judgingPool } from './pool.ts';
import { parsedLine } from './request.ts';

/** Requests under way, and bytes of their lines, beyond which no more are read. */
const UNDER_WAY_MAX = 1024;
const BYTES_MAX = 2 ** 24;

export interface Streams {
  readonly input: Readable;
  readonly output: Writable;
}

/** What is under way, counted. */
interface Load {
  requests: number;
  bytes: number;
}

const isFull = ({ requests, bytes }: Load): boolean =>
  requests >= UNDER_WAY_MAX || bytes >= BYTES_MAX;

/** Serve until the input has ended and all of it is answered, or nobody reads the answers any more. */
async function served({ input, output }: Streams, pool: JudgingPool): Promise<void> {
  const load: Load = { requests: 0, bytes: 0 };
  const lines = lineSplitter();
  await new Promise<void>((resolve, reject) => {
    let ended = false;
    const done = (bytes: number): void => {
      load.requests--;
      load.bytes -= bytes;
      if (ended && load.requests === 0) resolve();
      else if (!ended && !isFull(load)) input.resume();
    };
    const say = (id: unknown, answer: object, bytes: number): void => {
      output.write(`${JSON.stringify({ id, ...answer }, speakable)}\n`, () => done(bytes));
    };
    const take = (line: Parameters<typeof parsedLine>[0]): void => {
      const parsed = parsedLine(line);
      if (parsed === null) return;
      const { length } = line.text;
      load.requests++;
      load.bytes += length;
      if ('error' in parsed) say(parsed.id, { error: parsed.error }, length);
      else void pool.judge(parsed.request).then((answer) => say(parsed.id, answer, length));
    };
    output.once('error', () => resolve());
    input.on('data', (chunk: Uint8Array) => {
      lines.push(chunk).forEach(take);
      if (isFull(load)) input.pause();
    });
    input.once('error', reject);
    input.once('end', () => {
      lines.end().forEach(take);
      ended = true;
      if (load.requests === 0) resolve();
    });
  });
}

/** Answers requests on at most `threads` threads; resolves when the input has ended. */
export async function serve(streams: Streams, threads: number): Promise<void> {
  const pool = judgingPool(threads);
  try {
    await served(streams, pool);
  } finally {
    pool.end();
  }
}
