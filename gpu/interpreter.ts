/**
 * The interpreter: one rank runs its list of operations over a transport.
 *
 * A coroutine that yields true after every operation and false while it waits for a channel, so
 * that the same code runs interleaved in one thread or alone in a worker. Every operation is put
 * into the log when it has happened.
 * @module
 */
import type { Rank } from './rank.ts';
import type { Direction, Operation, Schedule } from './schedule.ts';
import type { Transport } from './transport/transport.ts';

/** One operation that a rank has completed, and its place among all events of the run. */
export interface RankEvent {
  readonly order: number;
  readonly rank: number;
  readonly direction: Direction;
  readonly operation: Operation;
}

function* interpretPass(
  rank: Rank,
  number: number,
  direction: Direction,
  operations: readonly Operation[],
  transport: Transport,
  log: RankEvent[],
): Generator<boolean, void> {
  rank.begin(direction);
  for (const operation of operations) {
    let order: number | null = null;
    if (operation.op === 'send') {
      const { lane, slot, block, to } = operation;
      const message = rank.outgoing(lane, slot, block);
      order = transport.trySend(to, lane, message);
      while (order === null) {
        yield false;
        order = transport.trySend(to, lane, message);
      }
    } else if (operation.op === 'receive') {
      const { lane, slot, block } = operation;
      let message = transport.tryReceive(number, lane);
      while (message === null) {
        yield false;
        message = transport.tryReceive(number, lane);
      }
      rank.accept(lane, slot, block, message);
      order = message.order;
    } else {
      rank.execute(operation);
      order = transport.nextOrder();
    }
    log.push({ order, rank: number, direction, operation });
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
  log: RankEvent[],
): Generator<boolean, void> {
  for (const { direction, ranks } of passes) {
    yield* interpretPass(rank, number, direction, ranks[number] ?? [], transport, log);
  }
}
