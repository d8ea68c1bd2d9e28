import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import { FEATURE_CASES } from '../../reference/testing/feature-cases.ts';
import type { RankEvent } from '../interpreter.ts';
import { closeWorkers, run, runLvXattn } from '../run.ts';
import type { RunOptions } from '../run-options.ts';
import { SCHEDULE_NAMES } from '../schedules/index.ts';
import { freePort } from '../testing/free-port.ts';
import { SMALL } from './frames.ts';
import { type Link, linkTo } from './link.ts';

afterAll(closeWorkers);

const LAYOUTS = [
  { ranks: 1, q: [4], kv: [9] },
  { ranks: 3, q: [3, 0, 1], kv: [2, 7, 0] },
  { ranks: 4, q: [1, 1, 1, 1], kv: [0, 3, 3, 3] },
];
const everything = FEATURE_CASES.find(([name]) => name === 'everything')![1];
const plain = (ranks: number, changes: CaseChanges = {}) => {
  const ones = new Array<number>(ranks).fill(2);
  const partition = { ranks, q: ones, kv: ones };
  return drawCase(2, { seq_q: 2 * ranks, seq_kv: 2 * ranks, partition, ...changes });
};

/** Pids of rank processes that this process has started and that are still there. */
function children(): number[] {
  const lines = execFileSync('ps', ['-o', 'pid=,stat=,args=', '--ppid', String(process.pid)])
    .toString()
    .split('\n');
  return lines
    .filter((line) => line.includes('rank-main') && !/^\s*\d+ Z/.test(line))
    .map((line) => Number(line.trim().split(/\s+/)[0]));
}

const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Every event has a larger stamp than what it had to come after. */
function checkOrder(log: readonly RankEvent[]): void {
  const sent = new Map<string, number[]>();
  const last = new Map<number, number>();
  for (const { rank, stamp, operation } of log) {
    expect(stamp).toBeGreaterThan(last.get(rank) ?? 0);
    last.set(rank, stamp);
    if (operation.op === 'send') {
      const key = `${rank}/${operation.to}/${operation.lane}`;
      sent.set(key, [...(sent.get(key) ?? []), stamp]);
    } else if (operation.op === 'receive') {
      const stamps = sent.get(`${operation.from}/${rank}/${operation.lane}`) ?? [];
      expect(stamp).toBeGreaterThan(stamps.shift() ?? Number.POSITIVE_INFINITY);
    }
  }
}

describe('ranks in processes', () => {
  for (const schedule of SCHEDULE_NAMES) {
    it(`give the bits and the log of ranks on one thread and on threads: ${schedule}`, async () => {
      for (const partition of LAYOUTS) {
        for (const changes of [everything, {}]) {
          const heads = { heads: 12, kv_heads: 4, mask: [1, 1, 4, 9] };
          const c = drawCase(9, { ...changes, ...heads, seq_q: 4, seq_kv: 9, partition });
          const device = changes === everything ? 'webasm' : 'reference';
          const options = { schedule, device, observing: true } as const;
          const processes = await run(c, { ...options, transport: 'processes' });
          const simulated = await run(c, { ...options, transport: 'simulated', seed: 5 });
          const threads = await run(c, { ...options, transport: 'threads' });
          expect(processes).toEqual(simulated);
          expect(processes).toEqual(threads);
          checkOrder(processes.log);
        }
      }
    });
  }

  it('stay for the next run, and end when they are told to', async () => {
    await runLvXattn(plain(3), { transport: 'processes', device: 'reference' });
    const first = children();
    expect(first.length).toBeGreaterThanOrEqual(3);
    await runLvXattn(plain(2), { transport: 'processes', device: 'reference' });
    expect(children()).toEqual(first);
    await closeWorkers();
    expect(first.filter(isThere)).toEqual([]);
  });

  it('are replaced where one has gone between two runs', async () => {
    await runLvXattn(plain(2), { transport: 'processes', device: 'reference' });
    const [pid] = children();
    process.kill(pid!, 'SIGKILL');
    while (isThere(pid!) && children().includes(pid!))
      await new Promise((go) => setTimeout(go, 10));
    await new Promise((go) => setTimeout(go, 100));
    const { outputs } = await runLvXattn(plain(2), { transport: 'processes', device: 'reference' });
    expect(outputs.out).toBeDefined();
  });

  it('end the run when one is killed, by rank, step and signal, and all of them end', async () => {
    await runLvXattn(plain(3), { transport: 'processes', device: 'reference' });
    const pids = children();
    process.kill(pids[1]!, 'SIGSTOP');
    const ran = runLvXattn(plain(3), { transport: 'processes', device: 'reference' });
    const failed = expect(ran).rejects.toThrow(
      /^rank \d, pass 0, step 0 \(\w+\): its process was ended by SIGKILL$/,
    );
    setTimeout(() => process.kill(pids[1]!, 'SIGKILL'), 300);
    await failed;
    expect(pids.filter(isThere)).toEqual([]);
  });

  it('end the run when one says nothing any more', async () => {
    await runLvXattn(plain(3), { transport: 'processes', device: 'reference' });
    const pids = children();
    process.kill(pids[2]!, 'SIGSTOP');
    await expect(
      runLvXattn(plain(3), { transport: 'processes', device: 'reference', timeoutMs: 300 }),
    ).rejects.toThrow(
      /^rank \d, pass 0, step 0 \(\w+\): it has said nothing for \d+ ms, and has not taken in its part of the case$/,
    );
    expect(pids.filter(isThere)).toEqual([]);
  });

  it('are refused where there are too many', async () => {
    await expect(
      runLvXattn(plain(600), { transport: 'processes', device: 'reference' }),
    ).rejects.toThrow(
      /^"partition.ranks" expected at most \d+ in processes of \d+ cores, got 600: 600 ranks in processes need/,
    );
  });
});

const token = 'of this run only';
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** A rank's program, from elsewhere as far as the run knows. */
function startRank(port: number, its = token, dying: string[] = []): ChildProcess {
  const root = join(import.meta.dirname, '../..');
  const file = join(
    root,
    dying.length > 0 ? 'gpu/testing/dying-rank.mjs' : 'dist/gpu/transport/rank-main.js',
  );
  const env = { ...process.env, XATTN_TOKEN: its };
  const child = spawn(process.execPath, [file, '127.0.0.1', String(port), ...dying], { env });
  started.push(child);
  return child;
}

const said = async (child: ChildProcess): Promise<string> => {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  return text;
};

/** A run that waits for ranks at a port. */
async function listening(
  ranks: number,
  more: Partial<RunOptions> = {},
  onRefused: (from: string, reason: string) => void = () => undefined,
) {
  const port = await freePort();
  const listen = { host: '127.0.0.1', port, token, onRefused };
  const options = { transport: 'processes', device: 'reference', listen, ...more } as const;
  const ran = runLvXattn(plain(ranks), options);
  ran.catch(() => undefined);
  return { port, ran };
}

/** Connects as soon as somebody listens. */
async function stranger(port: number, bytes: string): Promise<string> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.on('connect', () => socket.write(bytes));
    const end = await Promise.race([
      once(socket, 'close').then(() => 'closed'),
      once(socket, 'error').then(() => 'refused'),
    ]);
    if (got !== '' || end === 'closed') return got;
    await new Promise((go) => setTimeout(go, 20));
  }
}

describe('ranks that connect from elsewhere', () => {
  it('run like those that are started here, and then leave with status 0', async () => {
    const { port, ran } = await listening(3);
    const before = stranger(port, 'GET / HTTP/1.1\r\nHost: here\r\n\r\n');
    expect(await before).toContain('a frame expected \\"magic\\" to be \\"XATN\\", got \\"GET');
    const ranks = [1, 2, 3].map(() => startRank(port));
    const { outputs, log } = await ran;
    const simulated = await runLvXattn(plain(3), { transport: 'simulated', device: 'reference' });
    expect(outputs).toEqual(simulated.outputs);
    expect(log).toEqual(simulated.log);
    for (const rank of ranks) {
      if (rank.exitCode === null) await once(rank, 'exit');
      expect(rank.exitCode).toBe(0);
    }
  });

  it('are refused with a sentence where they do not know the token; the run says who came', async () => {
    const told: string[] = [];
    const onRefused = (from: string, reason: string) => told.push(`${from}: ${reason}`);
    const { port, ran } = await listening(1, { startTimeoutMs: 8000 }, onRefused);
    await stranger(port, 'x'.repeat(20));
    const rank = startRank(port, 'of another run');
    expect(await said(rank)).toBe(`127.0.0.1:${port}: expected the "token" of this run\n`);
    expect(rank.exitCode).toBe(1);
    await expect(ran).rejects.toThrow(
      /^expected 1 ranks to connect to 127.0.0.1:\d+ within 8000 ms, got 0; refused was 127.0.0.1: expected the "token" of this run/,
    );
    expect(told).toEqual([
      '127.0.0.1: a frame expected "magic" to be "XATN", got "xxxx"',
      '127.0.0.1: expected the "token" of this run',
    ]);
  });

  it('end the run by the rank that is stopped before it begins, not by one that waits for it', async () => {
    const { port, ran } = await listening(3, { timeoutMs: 300 });
    await stranger(port, 'x'.repeat(20));
    const links: Link[] = [];
    for (const rank of [0, 1, 2]) {
      const limits = { job: { header: 2 ** 20, payload: 2 ** 20 }, alive: SMALL };
      const link = await linkTo({ host: '127.0.0.1', port }, limits, 1000);
      links.push(link);
      link.receive = ({ kind, header }) => {
        if (kind === 'job' && rank !== 1)
          link.send('ready', { job: (header as { job: number }).job });
      };
      link.send('hello', { role: 'rank', token, name: '', port: 1 });
      await new Promise((go) => setTimeout(go, 50));
    }
    await expect(ran).rejects.toThrow(/^rank 1, pass 0, step 0 \(\w+\): it has said nothing for/);
    for (const link of links) link.close();
  });

  it('wait for a word of the run in vain only while they could have heard it', async () => {
    const { port, ran } = await listening(2);
    const ranks = [startRank(port), startRank(port, token, ['5', 'compute'])];
    const words = ranks.map(said);
    expect((await ran).outputs.out).toBeDefined();
    expect(await Promise.all(words)).toEqual(['', '']);
    expect(ranks.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  });

  it('are refused where the port that they name is none, and the token is not told again', async () => {
    const { port, ran } = await listening(1, { startTimeoutMs: 1500 });
    await stranger(port, 'x'.repeat(20));
    const refusalOf = async (hello: object): Promise<string> => {
      const link = await linkTo({ host: '127.0.0.1', port }, { refused: SMALL }, 1000);
      link.send('hello', { role: 'rank', token, name: '', port: 1, ...hello });
      return new Promise((heard) => {
        link.receive = ({ header }) => heard((header as { reason: string }).reason);
      });
    };
    expect(await refusalOf({ port: 0 })).toBe(
      'a frame "hello": "port" expected a number, 1 or more, got 0',
    );
    const long = await refusalOf({ token: 'secret'.repeat(100) });
    expect(long).toMatch(/^a frame "hello": "token" /);
    expect(long).not.toContain('secret');
    await expect(ran).rejects.toThrow(/got 0; refused was/);
  });

  it('are missed where one comes and leaves before the run begins', async () => {
    const { port, ran } = await listening(2, { startTimeoutMs: 2500 });
    await stranger(port, 'x'.repeat(20));
    const link = await linkTo({ host: '127.0.0.1', port }, { alive: SMALL }, 1000);
    link.send('hello', { role: 'rank', token, name: '', port: 1 });
    await new Promise<void>((heard) => {
      link.receive = () => heard();
    });
    link.close();
    await expect(ran).rejects.toThrow(
      /within 2500 ms, got 0; 1 came and left before the run began; refused was 127.0.0.1: /,
    );
  });

  for (const [how, reason] of [
    ['die', 'its connection was lost: '],
    ['leave', 'its connection was lost: '],
    ['stall', 'it has said nothing for \\d+ ms'],
  ] as const) {
    it(`end the run by rank and step where one does ${how}, and the others end`, async () => {
      const { port, ran } = await listening(3, { timeoutMs: how === 'stall' ? 1500 : 20_000 });
      const others = [1, 2].map(() => startRank(port));
      const words = others.map(said);
      startRank(port, token, ['5', how]);
      await expect(ran).rejects.toThrow(
        new RegExp(`^rank \\d, pass 0, step 5 \\(\\w+( on lane \\w+)?\\): ${reason}`),
      );
      for (const word of words) expect(await word).toContain('the run has ended: rank');
      expect(others.map(({ exitCode }) => exitCode)).toEqual([1, 1]);
    });
  }
});
