/**
 * Threads that judge: requests wait in order for the next that is free. The first thread is started
 * at once, others when a request has to wait. One that dies (of memory, most likely) answers its
 * request with a sentence and is replaced.
 * @module
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Answer } from './answer.ts';
import type { JudgeRequest } from './request.ts';

export interface JudgingPool {
  /** The answer to a request, whenever it comes. Never rejects. */
  judge(request: JudgeRequest): Promise<Answer>;
  /** End all threads; what is under way is not answered. */
  end(): void;
}

/** The built worker; a thread cannot load TypeScript. */
function workerFile(): URL {
  const file = import.meta.url.endsWith('.ts')
    ? new URL('../../dist/gate/serve/worker.js', import.meta.url)
    : new URL('./worker.js', import.meta.url);
  if (!existsSync(fileURLToPath(file))) {
    throw new Error(`threads expected ${fileURLToPath(file)}: run "npm run build" first`);
  }
  return file;
}

interface Waiting {
  readonly request: JudgeRequest;
  readonly answer: (answer: Answer) => void;
}

function deathOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_WORKER_OUT_OF_MEMORY') return `the judge's thread died: ${error.message}`;
  return 'the judge ran out of memory on this case; "rows" and "keys" take a sample of it';
}

const judgingThread = (): Worker => new Worker(workerFile());

/** At most `most` threads, each judging one request at a time; `make` makes one. */
export function judgingPool(most: number, make: () => Worker = judgingThread): JudgingPool {
  const queue: Waiting[] = [];
  const free: Worker[] = [];
  const all = new Set<Worker>();
  const atWork = new Map<Worker, Waiting>();

  const handOn = (worker: Worker): void => {
    const next = queue.shift();
    if (next === undefined) {
      free.push(worker);
      return;
    }
    atWork.set(worker, next);
    worker.postMessage(next.request);
  };
  const settle = (worker: Worker, answer: Answer): void => {
    const { answer: tell } = atWork.get(worker) ?? {};
    atWork.delete(worker);
    tell?.(answer);
  };
  const start = (): void => {
    const worker = make();
    all.add(worker);
    worker.on('message', (answer: Answer) => {
      settle(worker, answer);
      handOn(worker);
    });
    const died = (error: string): void => {
      // An error comes before the exit that it causes, and what has been ended is not missed.
      if (!all.delete(worker)) return;
      const isFree = free.indexOf(worker);
      if (isFree >= 0) free.splice(isFree, 1);
      settle(worker, { error });
      if (queue.length > 0) start();
    };
    worker.on('error', (error: Error) => died(deathOf(error)));
    worker.on('exit', (code) => died(`the judge's thread ended with status ${code}`));
    handOn(worker);
  };
  start();
  return {
    judge: (request) =>
      new Promise((answer) => {
        queue.push({ request, answer });
        const worker = free.pop();
        if (worker !== undefined) handOn(worker);
        else if (all.size < most) start();
      }),
    end: () => {
      for (const worker of all) {
        all.delete(worker);
        void worker.terminate();
      }
    },
  };
}
