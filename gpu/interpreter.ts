/**
 * The interpreter: one rank runs its list of operations over a transport.
 *
 * A coroutine that yields true after every operation and false while it waits for a channel, so
 * that the same code runs interleaved in one thread or alone in a worker. Every operation is put
 * into the log when it has happened.
 * @module
 */
import type { Rank } from './rank.ts';
import type { Direction, Operation } from './schedule.ts';
import type { Transport } from './transport/transport.ts';

/** One operation that a rank has completed; the order of a rank's events is its own order. */
export interface RankEvent {
  readonly rank: number;
  readonly direction: Direction;
  readonly operation: Operation;
}

/** Runs one rank's operations to the end; yields false while blocked. */
export function* interpret(
  rank: Rank,
  number: number,
  direction: Direction,
  operations: readonly Operation[],
  transport: Transport,
  log: RankEvent[],
): Generator<boolean, void> {
  rank.begin(direction);
  for (const operation of operations) {
    if (operation.op === 'send') {
      const { lane, slot, block, to } = operation;
      const message = rank.outgoing(lane, slot, block);
      while (!transport.trySend(to, lane, message)) yield false;
    } else if (operation.op === 'receive') {
      const { lane, slot, block } = operation;
      let message = transport.tryReceive(number, lane);
      while (message === null) {
        yield false;
        message = transport.tryReceive(number, lane);
      }
      rank.accept(lane, slot, block, message);
    } else rank.execute(operation);
    log.push({ rank: number, direction, operation });
    yield true;
  }
}
