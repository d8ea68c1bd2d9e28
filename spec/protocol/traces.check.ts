/**
 * Logs of real runs are accepted by the model that Spin has checked, and tampered logs are not.
 *
 * A log is accepted when every rank did what its schedule says, what was seen in its buffers follows
 * from event to event (contents.ts), and the order of all events is one that the model allows for the
 * blocks that were seen. Runs that are wrong though their operations are right: contents.test.ts.
 */
import { afterAll, expect, it } from 'vitest';
import { deviceOf } from '../../gpu/device/choose.ts';
import { distribute } from '../../gpu/distribute.ts';
import type { RankEvent } from '../../gpu/interpreter.ts';
import { closeWorkers, passesOf as passesOfCase, run, runOnOneThread } from '../../gpu/run.ts';
import type { RunOptions } from '../../gpu/run-options.ts';
import { SCHEDULE_NAMES, type ScheduleName } from '../../gpu/schedules/index.ts';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { describeWithTools } from '../tools.ts';
import { judgeLog, strayingRank } from './accept.ts';
import { differingRank, strayContents } from './contents.ts';
import { passesOf, RANKS, unevenLayout } from './schedules.ts';

afterAll(closeWorkers);

const SIMULATED_SEEDS = Array.from({ length: 12 }, (_, seed) => seed);
const THREAD_RUNS = 6;
const SIMULATED: RunOptions = { transport: 'simulated', device: 'reference', seed: 0 };

interface Kind {
  readonly what: string;
  readonly wants: readonly OutputName[];
  readonly recompute: boolean;
}

const FORWARD: Kind = { what: 'forward', wants: ['out', 'lse'], recompute: false };
const BOTH: Kind = { what: 'both', wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'], recompute: false };
const RECOMPUTED: Kind = {
  what: 'both, recomputing',
  wants: ['out', 'lse', 'd_q', 'd_y', 'd_w_k', 'd_w_v'],
  recompute: true,
};

/** A case over uneven blocks, one of each kind empty. */
function caseOf(ranks: number, { wants, recompute }: Kind): AttentionCase {
  const partition = unevenLayout(ranks);
  const total = (sizes: readonly number[]) => sizes.reduce((a, b) => a + b, 0);
  return drawCase(ranks, {
    partition,
    seq_q: total(partition.q),
    seq_kv: total(partition.kv),
    // Heads that can be dealt out, each pair of them to one KV head.
    heads: 2 * ranks,
    kv_heads: ranks,
    wants: [...wants],
    ...(recompute ? { dim_y: 3 } : {}),
  });
}

/** As the operations happened: stamps, which are the same in every run, hide the interleaving. */
async function simulatedLog(ranks: number, kind: Kind, seed: number, schedule: ScheduleName) {
  const c = caseOf(ranks, kind);
  const [shards, passes] = [distribute(c, 'f64'), passesOfCase(c, schedule)];
  const options = { seed, observing: true };
  return (await runOnOneThread(shards, passes, deviceOf('reference'), options)).log;
}

async function logOf(
  ranks: number,
  kind: Kind,
  options: RunOptions,
  schedule: ScheduleName = 'lv-xattn',
) {
  if (options.transport === 'simulated')
    return simulatedLog(ranks, kind, options.seed ?? 0, schedule);
  return (await run(caseOf(ranks, kind), { ...options, schedule, observing: true })).log;
}

function passes(ranks: number, kind: Kind, schedule: ScheduleName = 'lv-xattn') {
  const directions = kind === FORWARD ? (['forward'] as const) : (['forward', 'backward'] as const);
  return passesOf(schedule, ranks, directions, kind.recompute, 2 * ranks);
}

async function expectAccepted(
  log: readonly RankEvent[],
  ranks: number,
  kind: Kind,
  schedule: ScheduleName = 'lv-xattn',
): Promise<void> {
  const own = passes(ranks, kind, schedule);
  const { parameters } = caseOf(ranks, kind);
  expect(log.length).toBe(own.flatMap((pass) => pass.ranks.flat()).length);
  expect(strayingRank(log, own)).toBeNull();
  expect(strayContents(log, parameters)).toBeNull();
  const { recompute } = kind;
  expect(await judgeLog(log, unevenLayout(ranks), { recompute })).toBe('sound');
}

describeWithTools('the log of a run', ['spin', 'gcc'], () => {
  for (const ranks of RANKS) {
    for (const kind of [FORWARD, BOTH, RECOMPUTED]) {
      it(`on ${ranks} simulated ranks, ${kind.what}, is accepted under every seed`, async () => {
        const orders = new Set<string>();
        for (const seed of SIMULATED_SEEDS) {
          const options = { transport: 'simulated', device: 'reference', seed } as const;
          const log = await logOf(ranks, kind, options);
          orders.add(log.map(({ rank }) => rank).join());
          expect(differingRank(log, await logOf(ranks, kind, SIMULATED), ranks)).toBeNull();
          await expectAccepted(log, ranks, kind);
        }
        expect(orders.size).toBeGreaterThan(ranks === 1 ? 0 : SIMULATED_SEEDS.length / 2);
      });

      it(`on ${ranks} worker threads, ${kind.what}, is accepted every time`, async () => {
        for (let n = 0; n < THREAD_RUNS; n++) {
          const options = { transport: 'threads', device: 'reference' } as const;
          const log = await logOf(ranks, kind, options);
          expect(differingRank(log, await logOf(ranks, kind, SIMULATED), ranks)).toBeNull();
          await expectAccepted(log, ranks, kind);
        }
      });
    }
  }
});

describeWithTools('the log of a run of every schedule', ['spin', 'gcc'], () => {
  for (const schedule of SCHEDULE_NAMES) {
    for (const ranks of [1, 2, 3, 4]) {
      it(`${schedule} on ${ranks} ranks is accepted, simulated and on worker threads`, async () => {
        const options = { transport: 'simulated', device: 'reference' } as const;
        const simulated = await logOf(ranks, RECOMPUTED, { ...options, seed: ranks }, schedule);
        const threads = await logOf(
          ranks,
          RECOMPUTED,
          { ...options, transport: 'threads' },
          schedule,
        );
        expect(differingRank(simulated, threads, ranks)).toBeNull();
        await expectAccepted(simulated, ranks, RECOMPUTED, schedule);
        await expectAccepted(threads, ranks, RECOMPUTED, schedule);
      });
    }
  }
});

describeWithTools('the log of a run in processes', ['spin', 'gcc'], () => {
  for (const schedule of SCHEDULE_NAMES) {
    it(`${schedule} on 3 ranks is accepted, and is what simulated ranks did`, async () => {
      const how = { device: 'reference' } as const;
      const simulated = { ...how, transport: 'simulated' } as const;
      const processes = { ...how, transport: 'processes' } as const;
      const log = await logOf(3, RECOMPUTED, processes, schedule);
      expect(differingRank(await logOf(3, RECOMPUTED, simulated, schedule), log, 3)).toBeNull();
      await expectAccepted(log, 3, RECOMPUTED, schedule);
    });
  }
});

type Log = readonly RankEvent[];

/** A log with one event dropped, doubled, or exchanged with the one that follows it. */
const dropped = (log: Log, at: number): Log => log.filter((_, n) => n !== at);
const doubled = (log: Log, at: number): Log => [...log.slice(0, at + 1), ...log.slice(at)];
const swapped = (log: Log, at: number): Log => [
  ...log.slice(0, at),
  ...log.slice(at, at + 2).reverse(),
  ...log.slice(at + 2),
];

/** Doing these twice in a row changes nothing; the comparison with the schedule refuses it alone. */
const HARMLESS_TWICE = ['loadQuery', 'initResult', 'initGradients'];

describeWithTools('a tampered log', ['spin', 'gcc'], () => {
  const [ranks, kind] = [2, RECOMPUTED] as const;
  const options = { transport: 'simulated', device: 'reference', seed: 5 } as const;
  const refusal = async (log: readonly RankEvent[]) => ({
    strayed: strayingRank(log, passes(ranks, kind)) !== null,
    outcome: await judgeLog(log, unevenLayout(ranks), { recompute: kind.recompute }),
  });

  for (const tamper of [dropped, doubled]) {
    it(`with any one event ${tamper.name} is refused, by the model too`, async () => {
      const log = await logOf(ranks, kind, options);
      for (const [at, { operation }] of log.entries()) {
        const { strayed, outcome } = await refusal(tamper(log, at));
        expect(strayed).toBe(true);
        const harmless = tamper === doubled && HARMLESS_TWICE.includes(operation.op);
        expect([at, operation.op, outcome === 'sound']).toEqual([at, operation.op, harmless]);
      }
    });
  }

  it('with two neighbouring events swapped is refused wherever their order matters', async () => {
    const log = await logOf(ranks, kind, options);
    let refused = 0;
    for (const [at, first] of log.slice(0, -1).entries()) {
      const second = log[at + 1] ?? first;
      const [a, b] = [first.operation, second.operation];
      const { strayed, outcome } = await refusal(swapped(log, at));
      // Within a rank the schedule fixes the order; between ranks only a wire does.
      const sameRank = first.rank === second.rank && first.direction === second.direction;
      const onWire =
        first.rank !== second.rank &&
        ((a.op === 'send' && b.op === 'receive') || (a.op === 'receive' && b.op === 'send')) &&
        a.lane === b.lane &&
        (a.op === 'send' ? a.to === second.rank : b.op === 'send' && b.to === first.rank);
      if (sameRank) expect(strayed).toBe(true);
      if (onWire) expect(outcome).not.toBe('sound');
      if (first.rank !== second.rank && !onWire) expect(outcome).toBe('sound');
      refused += Number(onWire);
    }
    expect(refused).toBeGreaterThan(0);
  });

  it('in which one rank runs ahead of all others is refused', async () => {
    const log = await logOf(3, BOTH, options);
    const alone = [...log].sort((a, b) => a.rank - b.rank);
    expect(strayingRank(alone, passes(3, BOTH))).toBeNull();
    expect(await judgeLog(alone, unevenLayout(3), {})).toBe('deadlock');
  });
});
