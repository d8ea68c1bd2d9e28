/**
 * A candidate in any language: an external process that speaks protocol 1.
 *
 * Started once, and kept. If it crashes, hangs, or breaks the protocol, the case at hand is
 * `broken`, and it is started again for the next one; after `STARTS_MAX` failed starts in a row
 * it is given up, and what remains is `broken` at once.
 * @module
 */
import type { Answer, Candidate, Started } from '../candidate.ts';
import { askingLine, type CaseAnswer } from '../protocol.ts';
import { type Child, type ChildEvent, startChild } from './child.ts';

export const STARTS_MAX = 3;
const GRACE_MS = 2000;
/** One sentence for an answer too early, twice, or for another case: which it is depends on timing. */
const NOT_ASKED = 'it answered for a case that it was not asked';

export interface ProcessOptions {
  /** Run by the shell, in the current directory. */
  command: string;
  timeoutMs: number;
  /** How long until it says hello; default: as long as an answer may take. */
  startTimeoutMs?: number;
}

const broken = (reason: string): Answer => ({ status: 'broken', reason });

function notHello(event: Exclude<ChildEvent, { kind: 'hello' }>, seconds: number): string {
  switch (event.kind) {
    case 'exit':
      return `it ${event.how} before it said hello`;
    case 'timeout':
      return `it did not say hello within ${seconds} s`;
    case 'answer':
      return 'it answered before it said hello';
    case 'invalid':
      return event.reason;
  }
}

function answered(answer: CaseAnswer, folder: string): Answer {
  if (answer.case !== folder) return broken(NOT_ASKED);
  switch (answer.status) {
    case 'ok':
      return { status: 'ok' };
    case 'unsupported':
      return { status: 'unsupported', reason: answer.reason || 'it gave no reason' };
    case 'error':
      return broken(`it reported an error: ${answer.reason || 'it gave no reason'}`);
  }
}

function answerFrom(event: ChildEvent, folder: string, seconds: number): Answer {
  switch (event.kind) {
    case 'answer':
      return answered(event.answer, folder);
    case 'exit':
      return broken(`it ${event.how} before it answered`);
    case 'timeout':
      return broken(`it did not answer within ${seconds} s`);
    case 'invalid':
      return broken(event.reason);
    case 'hello':
      return broken('it said hello a second time');
  }
}

/** Whether the process can be asked again after this event: an answer for this case, of any status. */
function keeps(event: ChildEvent, folder: string): boolean {
  return event.kind === 'answer' && event.answer.case === folder;
}

export function processCandidate(options: ProcessOptions): Candidate {
  const { command, timeoutMs, startTimeoutMs = timeoutMs } = options;
  const log: string[] = [];
  let child: Child | null = null;
  let failedStarts = 0;
  let lastFailure = '';

  const drop = (): void => {
    child?.kill();
    child = null;
  };
  const start = async (): Promise<Started> => {
    log.length = 0;
    child = startChild(command, log);
    const event = await child.next(startTimeoutMs);
    if (event.kind === 'hello') {
      failedStarts = 0;
      return { ok: true, hello: event.hello };
    }
    drop();
    failedStarts++;
    lastFailure = notHello(event, startTimeoutMs / 1000);
    return { ok: false, reason: lastFailure };
  };
  /** Why there is no running child; null when there is one. */
  const startAgain = async (): Promise<Answer | null> => {
    if (failedStarts >= STARTS_MAX) {
      const reason = `given up after ${failedStarts} failed starts: ${lastFailure}`;
      return { status: 'gone', reason };
    }
    const started = await start();
    return started.ok ? null : broken(`when started again, ${started.reason}`);
  };

  return {
    start,
    async answer(folder, limitMs = timeoutMs) {
      const failure = child === null ? await startAgain() : null;
      const running = child as Child | null;
      if (failure !== null || running === null) return failure ?? broken('it is gone');
      const unasked = await running.next(0);
      if (unasked.kind === 'answer') {
        drop();
        return broken(NOT_ASKED);
      }
      if (unasked.kind === 'timeout') running.write(askingLine(folder));
      const event =
        unasked.kind === 'timeout' ? await running.next(Math.min(limitMs, timeoutMs)) : unasked;
      if (!keeps(event, folder)) drop();
      return answerFrom(event, folder, Math.min(limitMs, timeoutMs) / 1000);
    },
    log: () => [...log],
    async close() {
      await child?.finish(GRACE_MS);
      child = null;
    },
    kill: drop,
  };
}
