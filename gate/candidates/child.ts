/**
 * One running child process that speaks protocol 1, seen as a queue of events.
 *
 * It runs in a process group of its own, which is killed as a whole. Its log (noise on standard
 * output, and standard error) is kept to the last lines. Nothing it does makes this throw.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { type Line, lineSplitter, type Message, messageIn } from '../protocol.ts';
import { printable } from '../text.ts';

export type ChildEvent =
  | Exclude<Message, { kind: 'log' }>
  | { kind: 'exit'; how: string }
  | { kind: 'timeout' };

export interface Child {
  /** The next event, at most `timeoutMs` away. After the exit, always the exit. */
  next(timeoutMs: number): Promise<ChildEvent>;
  write(text: string): void;
  /** Close its standard input, wait `graceMs` for it to end, then kill it. */
  finish(graceMs: number): Promise<void>;
  kill(): void;
}

const LOG_LINES = 20;
const QUEUED_MAX = 16;
/** How long after an exit its pipes may still deliver what it wrote; a grandchild can hold them. */
const DRAIN_MS = 500;

/** A shell reports a command that ended by signal n as status 128 + n. */
function signalOf(code: number | null): string | undefined {
  return Object.entries(constants.signals).find(([, n]) => code === 128 + n)?.[0];
}

function exitSentence(code: number | null, signal: NodeJS.Signals | null): string {
  const ending = signal ?? signalOf(code);
  if (ending !== undefined) return `was ended by ${ending}`;
  const hint = code === 127 ? ' (the shell did not find the command)' : '';
  return `exited with status ${code ?? 'unknown'}${hint}`;
}

/** Events in order, for one reader. */
function eventQueue() {
  const queued: ChildEvent[] = [];
  let exit: ChildEvent | null = null;
  let reader: ((event: ChildEvent) => void) | null = null;
  const deliver = (event: ChildEvent): boolean => {
    const waiting = reader;
    waiting?.(event);
    return waiting !== null;
  };
  return {
    push(event: ChildEvent): void {
      if (!deliver(event) && queued.length < QUEUED_MAX) queued.push(event);
    },
    finish(how: string): void {
      exit ??= { kind: 'exit', how };
      deliver(exit);
    },
    next(timeoutMs: number): Promise<ChildEvent> {
      const ready = queued.shift() ?? exit;
      if (ready !== null) return Promise.resolve(ready);
      return new Promise((resolve) => {
        const settle = (event: ChildEvent): void => {
          reader = null;
          clearTimeout(timer);
          resolve(event);
        };
        const timer = setTimeout(() => settle({ kind: 'timeout' }), timeoutMs);
        reader = settle;
      });
    },
  };
}

function readLines(stream: Readable | null | undefined, onLine: (line: Line) => void): void {
  const splitter = lineSplitter();
  stream?.on('data', (chunk: Uint8Array) => splitter.push(chunk).forEach(onLine));
  stream?.on('end', () => splitter.end().forEach(onLine));
  stream?.on('error', () => {});
}

/** The last lines of each chunk only: a program that floods its log is not slowed down by it. */
function readEnd(stream: Readable | null | undefined, onLine: (line: Line) => void): void {
  let splitter = lineSplitter();
  stream?.on('data', (chunk: Uint8Array) => {
    let start = chunk.length;
    for (let n = 0; n <= LOG_LINES && start > 0; n++) start = chunk.lastIndexOf(10, start - 1);
    if (start > 0) splitter = lineSplitter();
    splitter.push(chunk.subarray(Math.max(0, start))).forEach(onLine);
  });
  stream?.on('end', () => splitter.end().forEach(onLine));
  stream?.on('error', () => {});
}

function killGroup(child: ChildProcess): void {
  for (const stream of child.stdio ?? []) stream?.destroy();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

/** A child that never was. */
function unborn(how: string): Child {
  const exit = { kind: 'exit', how } as const;
  const nothing = (): void => {};
  return { next: async () => exit, write: nothing, kill: nothing, finish: async () => {} };
}

/** Start `command` with the shell; `log` receives the last lines of what it says. */
export function startChild(command: string, log: string[]): Child {
  try {
    return living(spawn(command, { shell: true, detached: true, stdio: 'pipe' }), log);
  } catch (error) {
    // Too long a command, or one with a NUL in it.
    return unborn(`could not be started: ${error instanceof Error ? error.message : error}`);
  }
}

function living(child: ChildProcess, log: string[]): Child {
  const events = eventQueue();
  const note = (text: string): void => {
    if (text !== '') log.push(text);
    if (log.length > LOG_LINES) log.splice(0, log.length - LOG_LINES);
  };
  readLines(child.stdout, (line) => {
    const message = messageIn(line);
    if (message.kind === 'log') note(message.text);
    else events.push(message);
  });
  readEnd(child.stderr, (line) => note(printable(line.text, 300)));
  child.stdin?.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      events.finish(how);
      resolve();
    };
    child.on('error', (error) => end(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      const how = exitSentence(code, signal);
      child.once('close', () => end(how));
      setTimeout(() => end(how), DRAIN_MS);
    });
    // Nothing more can come of one that lives on behind a closed output.
    child.stdout?.once('end', () => {
      setTimeout(() => events.finish('closed its standard output'), DRAIN_MS);
    });
  });
  return {
    next: events.next,
    write: (text) => void child.stdin?.write(text),
    kill: () => killGroup(child),
    async finish(graceMs) {
      child.stdin?.end();
      const timer = setTimeout(() => killGroup(child), graceMs);
      await ended;
      clearTimeout(timer);
      killGroup(child);
    },
  };
}
