/**
 * The interpreter: one rank runs its list of operations over a transport.
 *
 * Every operation is put into the log when it has happened, under a Lamport stamp. A message is
 * checked before it is used: checksum, channel, pass, place in its channel, blocks and size.
 * @module
 */
import { contentsOf, type Observation, type Snapshot } from './observation.ts';
import type { Rank } from './rank.ts';
import type { Direction, Kind, Operation, Schedule } from './schedule.ts';
import { checksumOf, type Message, type Place, type Transport } from './transport/transport.ts';
import { showLabel } from './wire.ts';

/** One operation that a rank has completed, and its place among all events of the run. */
export interface RankEvent {
  /** Lamport clock: larger than that of every event that had to come before. */
  readonly stamp: number;
  readonly rank: number;
  /** Which of the run's passes, from 0, and which operation of the rank's list. */
  readonly pass: number;
  readonly step: number;
  readonly direction: Direction;
  /** What the schedule asked for. */
  readonly operation: Operation;
  /** Elements of the message; 0 for what is none. */
  readonly elements: number;
  /** What was there before and after it; null where the run does not observe. */
  readonly seen: Observation | null;
  /** When it began and ended, seconds since 1970; null where the run does not look at the clock. */
  readonly at: readonly [number, number] | null;
  /** When of that a send waited until its channel was free; null for others, and without a clock. */
  readonly waited: readonly [number, number] | null;
  /** How long of that the device computed, seconds; null where the run does not look at the clock. */
  readonly kernel_s: number | null;
}

/** Where a rank's events go, and what they are to show. */
export interface Log {
  readonly events: RankEvent[];
  /** What was there before and after each. */
  readonly observing: boolean;
  /** When each happened. */
  readonly timing: boolean;
  /** Operations that each rank has completed, in memory that others watch. */
  readonly progress: Int32Array | null;
}

const seconds = (): number => (performance.timeOrigin + performance.now()) / 1000;

/** An operation that failed: on which rank, in which pass and step, on which lane. */
export class StepError extends Error {
  readonly rank: number;
  readonly pass: number;
  readonly step: number;
  readonly lane: Kind | null;

  constructor(where: Pick<RankEvent, 'rank' | 'pass' | 'step' | 'operation'>, cause: unknown) {
    const { rank, pass, step, operation } = where;
    const lane = 'lane' in operation ? operation.lane : null;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const on = lane === null ? '' : ` on lane ${lane}`;
    super(`rank ${rank}, pass ${pass}, step ${step} (${operation.op}${on}): ${reason}`, { cause });
    [this.name, this.rank, this.pass, this.step, this.lane] = ['StepError', rank, pass, step, lane];
  }
}

/** Where a rank is that has done so many operations. */
export function placeAfter(passes: readonly Schedule[], rank: number, done: number): Place {
  let step = done;
  for (const [pass, { ranks }] of passes.entries()) {
    const steps = ranks[rank]?.length ?? 0;
    if (step < steps) return { pass, step };
    step -= steps;
  }
  return { pass: passes.length, step };
}

/**
 * What a rank that cannot speak for itself any more has failed at: the step that it was last known
 * to be at, or its first.
 */
export function failureAt(
  passes: readonly Schedule[],
  rank: number,
  { pass, step }: Place,
  reason: string,
): Error {
  const operation = passes[pass]?.ranks[rank]?.[step];
  if (operation === undefined) return new Error(`rank ${rank}, at its end: ${reason}`);
  return new StepError({ rank, pass, step, operation }, reason);
}

/** Events of all ranks in an order in which they could have happened one at a time. */
export const inOrder = (events: readonly RankEvent[]): RankEvent[] =>
  [...events].sort((a, b) => a.stamp - b.stamp || a.rank - b.rank);

/** One rank's run: its clock, and how many messages have gone through each of its channels. */
interface Run {
  readonly rank: Rank;
  readonly number: number;
  readonly transport: Transport;
  readonly log: Log;
  clock: number;
  /** When the operation at work waited for its channel. */
  waited: RankEvent['waited'];
  readonly counts: Map<string, number>;
}

function nextIn({ counts }: Run, channel: string): number {
  const sequence = counts.get(channel) ?? 0;
  counts.set(channel, sequence + 1);
  return sequence;
}

async function send(
  run: Run,
  { pass, step }: Place,
  { lane, buffer, to }: Extract<Operation, { op: 'send' }>,
): Promise<Message> {
  const { rank, number: from, transport } = run;
  const { label, payload } = await rank.outgoing(lane, buffer);
  const sequence = nextIn(run, `to ${to} ${lane}`);
  const begun = run.log.timing ? seconds() : 0;
  run.clock = Math.max(run.clock, await transport.ready(to, lane)) + 1;
  run.waited = run.log.timing ? [begun, seconds()] : null;
  const plain = { from, to, lane, pass, step, sequence, stamp: run.clock, label, payload };
  const message: Message = { ...plain, checksum: checksumOf(plain) };
  await transport.put(message);
  return message;
}

/** Throws unless a message is whole, and the next one of its channel. */
function check(
  message: Message,
  next: Pick<Message, 'from' | 'to' | 'lane' | 'pass' | 'sequence'>,
) {
  if (checksumOf(message) !== message.checksum) {
    throw new Error(`a message from rank ${next.from} was changed on the way: checksum`);
  }
  for (const field of ['from', 'to', 'lane', 'pass', 'sequence'] as const) {
    if (message[field] === next[field]) continue;
    throw new Error(
      `a message from rank ${next.from} expected ${field} ${next[field]}, got ${message[field]}: ` +
        `message ${message.sequence} of pass ${message.pass}, ${showLabel(message.label)}`,
    );
  }
}

async function receive(
  run: Run,
  pass: number,
  { lane, buffer, from, blocks }: Extract<Operation, { op: 'receive' }>,
): Promise<Message> {
  const { rank, number: to, transport } = run;
  const sequence = nextIn(run, `from ${from} ${lane}`);
  const message = await transport.take(from, lane);
  check(message, { from, to, lane, pass, sequence });
  rank.accept(lane, buffer, blocks, message);
  run.clock = Math.max(run.clock, message.stamp) + 1;
  await transport.free(from, lane, run.clock);
  return message;
}

async function happen(run: Run, place: Place, operation: Operation): Promise<Message | null> {
  await run.transport.turn(place);
  if (operation.op === 'send') return send(run, place, operation);
  if (operation.op === 'receive') return receive(run, place.pass, operation);
  await run.rank.execute(operation);
  run.clock++;
  return null;
}

async function observation(
  rank: Rank,
  before: Snapshot | null,
  message: Message | null,
): Promise<Observation | null> {
  if (before === null) return null;
  const after = await rank.observe();
  return {
    before,
    after,
    message: message === null ? null : contentsOf(message.label, [message.payload]),
  };
}

/**
 * Runs one rank through its passes, one straight after another: no rank waits for all others in
 * between. Throws StepError.
 */
export async function interpret(
  rank: Rank,
  number: number,
  passes: readonly Schedule[],
  transport: Transport,
  log: Log,
): Promise<void> {
  const run: Run = { rank, number, transport, log, clock: 0, counts: new Map(), waited: null };
  for (const [pass, { direction, ranks }] of passes.entries()) {
    rank.begin(direction);
    for (const [step, operation] of (ranks[number] ?? []).entries()) {
      const where = { rank: number, pass, step, direction, operation };
      try {
        const before = log.observing ? await rank.observe() : null;
        const [begun, computed] = log.timing ? [seconds(), rank.kernelSeconds()] : [0, 0];
        run.waited = null;
        const message = await happen(run, where, operation);
        const at = log.timing ? ([begun, seconds()] as const) : null;
        const kernel_s = log.timing ? rank.kernelSeconds() - computed : null;
        const seen = await observation(rank, before, message);
        const elements = message?.payload.length ?? 0;
        const { clock: stamp, waited } = run;
        log.events.push({ stamp, ...where, elements, seen, at, waited, kernel_s });
        if (log.progress !== null) Atomics.add(log.progress, number, 1);
      } catch (cause) {
        throw cause instanceof StepError ? cause : new StepError(where, cause);
      }
    }
  }
}
