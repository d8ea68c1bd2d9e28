/**
 * Interruption: waiting that ends when the run is to end.
 * @module
 */
import { constants } from 'node:os';

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the shell makes of a program that ended by a signal. */
export const statusOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Calls `heard` with each of the signals; gives what ends that. */
export function hearing(
  heard: (signal: NodeJS.Signals) => void,
  signals: readonly NodeJS.Signals[] = INTERRUPTS,
): () => void {
  for (const signal of signals) process.on(signal, heard);
  return () => {
    for (const signal of signals) process.removeListener(signal, heard);
  };
}

/**
 * What `use` gives; a signal meanwhile ends this process with a sentence, and with it all processes
 * that it has started. Where ranks do not run in processes, the system's way is as good: kernels on
 * this thread would keep it from hearing of a signal.
 */
export async function untilInterrupted<T>(
  transport: string,
  use: () => Promise<T>,
  tidy: () => void = () => undefined,
): Promise<T> {
  const interrupt = (signal: NodeJS.Signals): void => {
    tidy();
    process.stderr.write(`xattn: interrupted by ${signal}: the run and its ranks were ended\n`);
    process.exit(statusOf(signal));
  };
  const endHearing = hearing(interrupt, transport === 'processes' ? INTERRUPTS : []);
  try {
    return await use();
  } finally {
    endHearing();
  }
}

/** What `promise` gives, or 'aborted' as soon as `stop` is; then nobody waits for the promise. */
export function unlessAborted<T>(
  stop: AbortSignal | undefined,
  promise: Promise<T>,
): Promise<T | 'aborted'> {
  if (stop === undefined) return promise;
  if (stop.aborted) {
    promise.catch(() => {});
    return Promise.resolve('aborted');
  }
  return new Promise((resolve, reject) => {
    const end = (): void => resolve('aborted');
    stop.addEventListener('abort', end, { once: true });
    promise.then(resolve, reject).finally(() => stop.removeEventListener('abort', end));
  });
}
