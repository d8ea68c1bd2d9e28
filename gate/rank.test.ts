import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../gpu/testing/free-port.ts';
import { type Cable, cableTo } from '../gpu/testing/muting.ts';

const CLI = join(import.meta.dirname, '../dist/gate/cli.js');
const DYING_RANK = join(import.meta.dirname, '../gpu/testing/dying-rank.mjs');
const SILENCE = /^xattn: [\d.:]+: no word of the run: nothing has come for \d+ ms\n$/;
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command with a token, in a network namespace or in this one. */
async function xattn(args: string[], token = 'of this run', namespace = ''): Promise<Ended> {
  const command = namespace === '' ? [] : ['ip', 'netns', 'exec', namespace];
  const [program = '', ...rest] = [...command, process.execPath, CLI, ...args];
  const env = { ...process.env, XATTN_TOKEN: token };
  const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

/** Waits until somebody listens. */
async function listener(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const came = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (came) return;
    await new Promise((go) => setTimeout(go, 50));
  }
}

const RUN = ['run', '--transport', 'processes', '--device', 'reference', '--json', '--seq-q', '8'];

/** What a run says of itself, without what differs from run to run. */
function summaryOf({ stdout }: Ended): object {
  const { wall_s: _, transport: __, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
  return rest;
}

describe('xattn rank', () => {
  it('is not waited for longer than --start-timeout-s', async () => {
    const at = `127.0.0.1:${await freePort()}`;
    const how = ['--ranks', '2', '--listen', at, '--start-timeout-s', '0.3'];
    const { status, stdout, stderr } = await xattn([...RUN, ...how]);
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toBe(`xattn: expected 2 ranks to connect to ${at} within 300 ms, got 0\n`);
  });

  it('serves a run over TCP, with the bytes and the verdict of a run on one thread', async () => {
    const at = `127.0.0.1:${await freePort()}`;
    const [run, ...ranks] = await Promise.all([
      xattn([...RUN, '--ranks', '3', '--listen', at]),
      ...[1, 2, 3].map(() => xattn(['rank', '--connect', at, '--start-timeout-s', '60'])),
    ]);
    expect(run!.stderr).toBe('');
    const alone = await xattn([...RUN, '--ranks', '3', '--transport', 'simulated']);
    expect(summaryOf(run!)).toEqual(summaryOf(alone));
    expect(summaryOf(run!)).toMatchObject({ verdict: 'pass', backend: 'reference' });
    expect(ranks).toEqual(ranks.map(() => ({ status: 0, stdout: '', stderr: '' })));
  });

  it('ends with status 2 and a sentence where it is not let in', async () => {
    const at = `127.0.0.1:${await freePort()}`;
    const nobody = await xattn(['rank', '--connect', at, '--start-timeout-s', '1']);
    expect(nobody).toMatchObject({ status: 2, stdout: '' });
    expect(nobody.stderr).toContain(`could not connect to ${at}: `);
    const none = await xattn(['rank', '--connect', at], '');
    expect(none).toMatchObject({ status: 2, stdout: '' });
    expect(none.stderr).toContain('"XATTN_TOKEN" expected the token');
    const wrong = await xattn(['rank', '--connect', '127.0.0.1']);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain('Expected HOST:PORT');
    const run = xattn([...RUN, '--ranks', '1', '--listen', at]);
    const stranger = await xattn(['rank', '--connect', at, '--start-timeout-s', '60'], 'another');
    expect(stranger).toEqual({
      status: 2,
      stdout: '',
      stderr: `xattn: ${at}: expected the "token" of this run\n`,
    });
    // The run goes on without it.
    const rank = await xattn(['rank', '--connect', at]);
    expect(rank.status).toBe(0);
    const { status, stderr } = await run;
    expect(status).toBe(0);
    expect(stderr).toBe('xattn: refused 127.0.0.1: expected the "token" of this run\n');
  });
});

describe('xattn rank, where nothing comes any more', () => {
  const cables: Cable[] = [];
  afterEach(() => {
    for (const cable of cables.splice(0)) cable.close();
  });
  const cable = async (port: number): Promise<Cable> => {
    const laid = await cableTo(port);
    cables.push(laid);
    return laid;
  };
  const DEADLINES = ['--start-timeout-s', '1', '--timeout-s', '2'];

  it('ends with status 2 where whoever it has connected to does not answer', async () => {
    const at = `127.0.0.1:${(await cable(0)).port}`;
    const rank = await xattn(['rank', '--connect', at, ...DEADLINES]);
    expect(rank).toMatchObject({ status: 2, stdout: '' });
    expect(rank.stderr).toMatch(
      /^xattn: [\d.:]+: no answer to the hello: nothing has come for \d+ ms\n$/,
    );
  });

  it('ends where the network goes down, before the run with status 2, within it with 3', async () => {
    const port = await freePort();
    const args = [...RUN, '--seq-kv', '8', '--ranks', '2', '--listen', `127.0.0.1:${port}`];
    const run = xattn([...args, '--timeout-s', '5']);
    await listener(port);
    const serve = async ({ port: its, answered, mute }: Cable, bytes: number) => {
      const ended = xattn(['rank', '--connect', `127.0.0.1:${its}`, ...DEADLINES]);
      await answered(bytes);
      await new Promise((go) => setTimeout(go, 300));
      mute();
      return ended;
    };
    const early = await cable(port);
    expect(await serve(early, 1)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(SILENCE),
    });
    early.close();
    // The other rank stops, so that the run goes on; of a job, so many bytes have come.
    const env = { ...process.env, XATTN_TOKEN: 'of this run' };
    const stalling = ['127.0.0.1', String(port), '3', 'stall'];
    started.push(spawn(process.execPath, [DYING_RANK, ...stalling], { env, stdio: 'ignore' }));
    const within = await serve(await cable(port), 500);
    expect(within).toMatchObject({ status: 3, stderr: expect.stringMatching(SILENCE) });
    expect(await run).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/rank \d, pass 0/),
    });
  });
});

const NAMESPACES = ['a', 'b'].map((name) => `xattn-${process.pid}-${name}`);
const ip = (...args: string[]): boolean => spawnSync('ip', args).status === 0;

/** Two machines and a cable, as far as their networks go; false where that is not allowed here. */
function twoMachines(): boolean {
  const [a = '', b = ''] = NAMESPACES;
  return (
    ip('netns', 'add', a) &&
    ip('netns', 'add', b) &&
    ip('link', 'add', 'cable0', 'netns', a, 'type', 'veth', 'peer', 'name', 'cable0', 'netns', b) &&
    [a, b].every(
      (name, n) =>
        ip('-n', name, 'addr', 'add', `10.77.0.${n + 1}/24`, 'dev', 'cable0') &&
        ip('-n', name, 'link', 'set', 'lo', 'up') &&
        ip('-n', name, 'link', 'set', 'cable0', 'up'),
    )
  );
}

const isTwo = twoMachines();
if (!isTwo) {
  process.stderr.write('NOT TESTED: ranks in two network namespaces, which need Linux and root\n');
}
afterAll(() => {
  for (const name of NAMESPACES) ip('netns', 'del', name);
});

describe.skipIf(!isTwo)('xattn rank in two network namespaces', () => {
  const [a = '', b = ''] = NAMESPACES;

  it('serves a run on the other side, and its messages cross the cable', async () => {
    const at = '10.77.0.1:4000';
    const [run, ...ranks] = await Promise.all([
      xattn([...RUN, '--ranks', '2', '--listen', at], 'shared', a),
      ...[a, b].map((name) =>
        xattn(['rank', '--connect', at, '--start-timeout-s', '60'], 'shared', name),
      ),
    ]);
    expect(run!.stderr).toBe('');
    expect(summaryOf(run!)).toMatchObject({ verdict: 'pass', ranks: 2 });
    expect(ranks.map(({ status }) => status)).toEqual([0, 0]);
    const link = execFileSync('ip', ['-n', b, '-s', '-j', 'link', 'show', 'cable0']).toString();
    const [{ stats64 }] = JSON.parse(link) as [{ stats64: { tx: { bytes: number } } }];
    const { bytes_sent_per_rank: sent } = summaryOf(run!) as {
      bytes_sent_per_rank: { forward: number[] };
    };
    expect(sent.forward[0]).toBeGreaterThan(0);
    expect(stats64.tx.bytes).toBeGreaterThan(sent.forward[0] ?? 0);
  });
});
