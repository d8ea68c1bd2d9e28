/**
 * A network that parts two ranks: from some message between them on nothing goes over their link, either
 * way, and nobody is told.
 * @module
 */
import { Socket } from 'node:net';
import { drawCase } from '../../reference/case/draw-case.ts';
import { settledHere } from './ranks-here.ts';

export interface Parted {
  readonly from: number;
  readonly to: number;
  /** How many messages from the one to the other come through before. */
  readonly after: number;
}

type Write = (this: Socket, chunk: Uint8Array) => boolean;

/** Ends of a connection, the same from both sides. */
const nameOf = ({ localPort = 0, remotePort = 0 }: Socket): string =>
  [localPort, remotePort].sort((a, b) => a - b).join();

/** LV-XAttn on three ranks, over sockets of this machine, while two of them are parted: how it ends. */
export async function endingOfParted({ from, to, after }: Parted): Promise<unknown> {
  const write = Socket.prototype.write as Write;
  const down = new Set<string>();
  let sent = 0;
  Socket.prototype.write = function (this: Socket, chunk: Uint8Array) {
    const isMessage = Buffer.from(chunk).includes(`"from":${from},"to":${to},`);
    if (isMessage && sent++ >= after) down.add(nameOf(this));
    return down.has(nameOf(this)) ? true : write.call(this, chunk);
  } as Socket['write'];
  const partition = { ranks: 3, q: [2, 1, 1], kv: [1, 3, 2] };
  const c = drawCase(6, { seq_q: 4, seq_kv: 6, partition });
  const limits = { timeoutMs: 400, startTimeoutMs: 10_000, connectTimeoutMs: 5000 };
  try {
    const result = await settledHere(c, limits);
    return result.status === 'rejected' ? result.reason : null;
  } finally {
    Socket.prototype.write = write as Socket['write'];
  }
}
