/**
 * A cable that can be cut without anybody hearing of it: a proxy that stops forwarding.
 * @module
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Cable {
  readonly port: number;
  /** Waits until so many bytes have come from the other end. */
  readonly answered: (bytes: number) => Promise<void>;
  /** From now on nothing comes through, and nobody is told. */
  readonly mute: () => void;
  readonly close: () => void;
}

/** A port of this machine that leads to another, until it is muted. `port` 0 leads nowhere. */
export async function cableTo(port: number): Promise<Cable> {
  const sockets: Socket[] = [];
  let come = 0;
  let changed: () => void = () => undefined;
  const server = createServer((near) => {
    sockets.push(near);
    if (port === 0) {
      near.resume();
      return;
    }
    const far = connect(port, '127.0.0.1');
    sockets.push(far);
    near.pipe(far).pipe(near);
    far.on('data', ({ length }) => {
      come += length;
      changed();
    });
    for (const socket of [near, far]) socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server has no port');
  return {
    port: address.port,
    answered: (bytes) =>
      new Promise((resolve) => {
        changed = () => {
          if (come >= bytes) resolve();
        };
        changed();
      }),
    mute: () => {
      for (const socket of sockets) socket.unpipe().resume();
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
