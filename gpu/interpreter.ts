/**
 * The interpreter: one rank runs its list of operations over a transport.
 *
 * A coroutine that yields true after every operation and false while it waits for a channel, so
 * that the same code runs interleaved in one thread or alone in a worker. Every operation is put
 * into the log when it has happened.
 * @module
 */
import { contentsOfMessage, type Observation, type Snapshot } from './observation.ts';
import type { Rank } from './rank.ts';
import type { Direction, Operation, Schedule } from './schedule.ts';
import type { Message, Transport } from './transport/transport.ts';

/** One operation that a rank has completed, and its place among all events of the run. */
export interface RankEvent {
  readonly order: number;
  readonly rank: number;
  /** Which of the run's passes, from 0. */
  readonly pass: number;
  readonly direction: Direction;
  /** What the schedule asked for. */
  readonly operation: Operation;
  /** What was there before and after it; null where the run does not observe. */
  readonly seen: Observation | null;
}

/** Where a rank's events go, and whether they are to show what was there. */
export interface Log {
  readonly events: RankEvent[];
  readonly observing: boolean;
}

function observation(rank: Rank, before: Snapshot, message: Message | null): Observation {
  return {
    before,
    after: rank.observe(),
    message: message === null ? null : contentsOfMessage(message),
  };
}

function* interpretPass(
  rank: Rank,
  number: number,
  { pass, direction }: Pick<RankEvent, 'pass' | 'direction'>,
  operations: readonly Operation[],
  transport: Transport,
  { events, observing }: Log,
): Generator<boolean, void> {
  rank.begin(direction);
  for (const operation of operations) {
    let order: number | null = null;
    let message: Message | null = null;
    const before = observing ? rank.observe() : null;
    if (operation.op === 'send') {
      const { lane, slot, to } = operation;
      message = rank.outgoing(lane, slot);
      order = transport.trySend(to, lane, message);
      while (order === null) {
        yield false;
        order = transport.trySend(to, lane, message);
      }
    } else if (operation.op === 'receive') {
      const { lane, slot, block } = operation;
      let delivery = transport.tryReceive(number, lane);
      while (delivery === null) {
        yield false;
        delivery = transport.tryReceive(number, lane);
      }
      rank.accept(lane, slot, block, delivery);
      [order, message] = [delivery.order, delivery];
    } else {
      rank.execute(operation);
      order = transport.nextOrder();
    }
    const seen = before === null ? null : observation(rank, before, message);
    events.push({ order, rank: number, pass, direction, operation, seen });
    yield true;
  }
}

/**
 * Runs one rank through its passes, one straight after another: no rank waits for all others in
 * between. Yields true after every operation, false while blocked.
 */
export function* interpret(
  rank: Rank,
  number: number,
  passes: readonly Schedule[],
  transport: Transport,
  log: Log,
): Generator<boolean, void> {
  for (const [pass, { direction, ranks }] of passes.entries()) {
    const which = { pass, direction };
    yield* interpretPass(rank, number, which, ranks[number] ?? [], transport, log);
  }
}
