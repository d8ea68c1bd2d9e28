import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Link, linkTo, whenLate } from './link.ts';

/** Frames of any kind, small. */
const LIMITS = { alive: { header: 1000, payload: 0 } };

/** Keeps this thread for so long, as a kernel does. */
function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Two ends of a connection. */
async function connected(): Promise<{ near: Link; far: Link; close: () => void }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const arrived = once(server, 'connection') as Promise<[Socket]>;
  const far = await linkTo({ host: '127.0.0.1', port }, LIMITS, 60_000);
  const near = new Link((await arrived)[0], LIMITS);
  const close = (): void => {
    near.close();
    far.close();
    server.close();
  };
  return { near, far, close };
}

describe('what is late', () => {
  it('is not what came while a kernel kept the process from reading', async () => {
    const { near, far, close } = await connected();
    const said: string[] = [];
    const callOff = whenLate(20, () => said.push('late'));
    near.receive = () => {
      callOff();
      said.push('heard');
    };
    far.send('alive', {});
    compute(200);
    await new Promise((go) => setTimeout(go, 100));
    close();
    expect(said).toEqual(['heard']);
  });

  it('is what does not come', async () => {
    const said = await new Promise<string>((go) => whenLate(5, () => go('late')));
    expect(said).toBe('late');
  });
});
