import { afterAll, describe, expect, it } from 'vitest';
import { deviceOf } from '../../gpu/device/choose.ts';
import type { Device, Real } from '../../gpu/device/device.ts';
import { distribute } from '../../gpu/distribute.ts';
import { inOrder, interpret, type Log, type RankEvent, StepError } from '../../gpu/interpreter.ts';
import { areZeros, contentsOf } from '../../gpu/observation.ts';
import { makeRank, type Rank } from '../../gpu/rank.ts';
import { closeWorkers, run, runLvXattn } from '../../gpu/run.ts';
import type { BufferName, Direction, Kind, Operation } from '../../gpu/schedule.ts';
import { SCHEDULE_NAMES } from '../../gpu/schedules/index.ts';
import { chooseBySeed, runSimulated } from '../../gpu/transport/simulated.ts';
import { checksumOf, type Message, type Transport } from '../../gpu/transport/transport.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { FEATURE_CASES } from '../../reference/testing/feature-cases.ts';
import { strayingRank } from './accept.ts';
import { differingRank, strayContents } from './contents.ts';
import { checkedOf, NAMES, passesOf, ranksOf, unevenLayout } from './schedules.ts';

afterAll(closeWorkers);

interface Fault {
  readonly rank?: (right: Rank, number: number) => Partial<Rank>;
  readonly wires?: (right: Transport, number: number) => Partial<Transport>;
  readonly device?: (right: Device) => Partial<Device>;
  /** For wrong schedules: what stands for an operation of rank 1. */
  readonly schedule?: (operation: Operation) => readonly Operation[];
}

const BOTH = ['forward', 'backward'] as const;

/**
 * A case over uneven blocks, one of each kind empty from two ranks on; or with query blocks of one
 * size, of which no length tells which is which. A query head and a KV head for every rank.
 */
function caseOf(ranks: number, alike = false) {
  const uneven = unevenLayout(ranks);
  const partition = alike ? { ...uneven, q: uneven.q.map(() => 2) } : uneven;
  const total = (sizes: readonly number[]) => sizes.reduce((a, b) => a + b, 0);
  const sizes = { seq_q: total(partition.q), seq_kv: total(partition.kv) };
  const heads = { heads: ranks, kv_heads: ranks };
  const mask = [sizes.seq_q, sizes.seq_kv];
  return drawCase(3, { partition, ...sizes, ...heads, sink: true, dim_y: 3, mask });
}

interface Run {
  readonly ranks: number;
  readonly directions: readonly Direction[];
  readonly name?: string;
  readonly fault?: Fault;
  readonly alike?: boolean;
}

/**
 * The log of a run in which something is wrong that no schedule says: its words are all right. Where
 * the run refuses to go on, the log up to there and why.
 */
async function runOf({ ranks, directions, name = 'lv-xattn', fault = {}, alike = false }: Run) {
  const log: Log = { events: [], observing: true, timing: false, progress: null };
  const device = deviceOf('reference');
  const machine = { ...device, ...fault.device?.(device) };
  const all = distribute(caseOf(ranks, alike), 'f64').map((shard, n) => {
    const right = makeRank(shard, machine);
    return { ...right, ...fault.rank?.(right, n) };
  });
  const { schedule = (o: Operation) => [o] } = fault;
  const passes = passesOf(name, ranks, directions, true).map((pass) => ({
    ...pass,
    ranks: pass.ranks.map((list, n) => (n === 1 ? list.flatMap(schedule) : list)),
  }));
  const tasks = all.map((rank, n) => (transport: Transport) => {
    const wires = { ...transport, ...fault.wires?.(transport, n) };
    return interpret(rank, n, passes, wires, log);
  });
  const refused = await runSimulated(tasks, chooseBySeed(5)).then(
    () => null,
    (error) => error,
  );
  const sorted = inOrder(log.events);
  if (refused === null) expect(strayingRank(sorted, passes)).toBeNull();
  else expect(refused).toBeInstanceOf(StepError);
  return { log: sorted, refused: refused instanceof StepError ? refused.message : null };
}

async function logOf(run: Run): Promise<readonly RankEvent[]> {
  const { log, refused } = await runOf(run);
  expect(refused).toBeNull();
  return log;
}

const extentsOf = (ranks: number, alike = false) => caseOf(ranks, alike).parameters;

/** The other one of two slots. */
const opposite = (buffer: BufferName): BufferName =>
  buffer.replace(/[01]$/, (slot) => (slot === '0' ? '1' : '0'));

/** A rank that does something else, or more, or nothing, in place of an operation. */
const instead = (
  number: number,
  op: Operation['op'],
  act: (right: Rank, o: Operation) => Promise<void>,
) => ({
  rank: (right: Rank, n: number): Partial<Rank> => ({
    execute: (o) => (n === number && o.op === op ? act(right, o) : right.execute(o)),
  }),
});

const nothing = async (): Promise<void> => undefined;

const twice = async (right: Rank, o: Operation): Promise<void> => {
  await right.execute(o);
  await right.execute(o);
};

/** As its sender would have signed it. */
const signed = (message: Message): Message => ({ ...message, checksum: checksumOf(message) });
const unsigned = (message: Message): Message => message;

/** Hands over the payload of the message before under the label of this one, where sizes agree. */
function exchanging(lane: Kind, sign: (message: Message) => Message): Fault {
  return {
    wires: (right) => {
      let last: Real | null = null;
      return {
        put: async (message) => {
          const { payload } = message;
          const same = message.lane === lane && last?.length === payload.length;
          await right.put(same && last ? sign({ ...message, payload: last }) : message);
          if (message.lane === lane && payload.length > 0) last = payload.slice();
        },
      };
    },
  };
}

/** A message of a lane, changed before it is looked at. */
const changing = (lane: Kind, change: (message: Message) => Message): Fault => ({
  wires: (right) => ({
    take: async (from, which) => {
      const message = await right.take(from, which);
      return which === lane ? change(message) : message;
    },
  }),
});

/** A bit of a number that is received. */
function flipped(message: Message): Message {
  const payload = message.payload.slice();
  const bytes = new Uint8Array(payload.buffer);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return { ...message, payload };
}

const withLess = (message: Message): Message => ({
  ...message,
  label: { ...message.label, merged: message.label.merged.slice(1) },
});

/** Numbers that are not those that were made before. */
function otherAfter(calls: number, right: Device['project']): Device['project'] {
  let done = 0;
  return async (...given) => {
    const made = await right(...given);
    if (++done > calls && made.length > 0) {
      const values = (made as Real).slice();
      values[0] = (values[0] ?? 0) + 1;
      return values;
    }
    return made;
  };
}

/** Each with what is said of it. */
const FAULTS: Readonly<Record<string, { fault: Fault; what: RegExp }>> = {
  'puts received queries into the other slot': {
    what: /query\d is not the message received|changed query/,
    fault: {
      rank: (right, n) => ({
        accept: (lane, buffer, blocks, message) => {
          const wrong = n === 1 && lane === 'query' && blocks[0] === 2;
          right.accept(lane, wrong ? opposite(buffer) : buffer, blocks, message);
        },
      }),
    },
  },
  'loads its queries into both slots': {
    what: /changed query/,
    fault: instead(1, 'loadQuery', async (right, o) => {
      await right.execute(o);
      if (o.op === 'loadQuery') await right.execute({ ...o, into: opposite(o.into) });
    }),
  },
  'receives into a buffer and keeps what was there': {
    what: /result\d is not the message received/,
    fault: {
      rank: (right) => {
        let old: Real | null = null;
        return {
          accept: (lane, buffer, blocks, message) => {
            const stale = lane === 'result' && old?.length === message.payload.length ? old : null;
            if (lane === 'result' && message.payload.length > 0) old = message.payload.slice();
            right.accept(lane, buffer, blocks, { ...message, payload: stale ?? message.payload });
          },
        };
      },
    },
  },
  'drops a merge': { what: /result\d has result of block/, fault: instead(2, 'merge', nothing) },
  'merges twice': { what: /result\d has result of block/, fault: instead(2, 'merge', twice) },
  'drops a computation, and would merge the one before': {
    what: /delta has result of block/,
    fault: instead(0, 'computeBlock', async (right, o) => {
      if (o.op === 'computeBlock' && o.query === 'query0') await right.execute(o);
    }),
  },
  'adds to dK and dV twice': {
    what: /sums has gradients of block/,
    fault: instead(0, 'computeBlock', twice),
  },
  'keeps no finished dK and dV': {
    what: /kept what was not there/,
    fault: instead(1, 'finish', async (right, o) => {
      if (o.op === 'finish' && o.buffer !== 'sums') await right.execute(o);
    }),
  },
  'recomputes other keys than in the pass before': {
    what: /other numbers of its own/,
    fault: { device: (right) => ({ project: otherAfter(6, right.project) }) },
  },
  'starts a pass with what the last one left': {
    what: /not empty when the pass begins/,
    fault: {
      rank: (right, n) => {
        let begun = 0;
        return {
          begin: (direction) => {
            if (n !== 1 || begun++ === 0) right.begin(direction);
          },
        };
      },
    },
  },
  'starts a pass with sums that are not zero': {
    what: /sums does not start from zero/,
    fault: {
      device: (right) => ({
        write: (values) => right.write(values.every((x) => x === 0) ? values.map(() => 1) : values),
      }),
    },
  },
  'changes a bit of a query on the way, signed anew': {
    what: /another message than was sent/,
    fault: changing('query', (message) => signed(flipped(message))),
  },
  'changes a bit of a result on the way, signed anew': {
    what: /another message than was sent/,
    fault: changing('result', (message) => signed(flipped(message))),
  },
  'hands over the queries of one block as those of another, signed anew': {
    what: /another message than (was sent|is in)/,
    fault: exchanging('query', signed),
  },
  'hands over the result of one block as that of another, signed anew': {
    what: /another message than (was sent|is in)/,
    fault: exchanging('result', signed),
  },
  'sends the other slot under the right label': {
    what: /another message than is in/,
    fault: {
      rank: (right, n) => ({
        outgoing: async (lane, buffer) => {
          const named = await right.outgoing(lane, buffer);
          if (n !== 2) return named;
          // Nothing may be in the other slot yet.
          const other = await right.outgoing(lane, opposite(buffer)).catch(() => named);
          return { ...named, payload: other.payload };
        },
      }),
    },
  },
  'loses a contribution on the way, signed anew': {
    what: /another message than was sent/,
    fault: changing('result', (message) => signed(withLess(message))),
  },
  'delivers into memory that the next message overwrites': {
    what: /changed (query|result)\d, or something else did|another message than is in/,
    fault: {
      wires: (right) => {
        const boxes = new Map<string, Float64Array>();
        return {
          take: async (from, lane) => {
            const message = await right.take(from, lane);
            const box = boxes.get(lane) ?? new Float64Array(1 << 12);
            boxes.set(lane, box);
            box.set(message.payload);
            return { ...message, payload: box.subarray(0, message.payload.length) };
          },
        };
      },
    },
  },
};

/** What the run itself refuses: nobody has signed it anew. */
const REFUSED: Readonly<Record<string, Fault>> = {
  'changes a bit of a query on the way': changing('query', flipped),
  'changes a bit of a result on the way': changing('result', flipped),
  'hands over the queries of one block as those of another': exchanging('query', unsigned),
  'hands over the result of one block as that of another': exchanging('result', unsigned),
  'loses a contribution on the way': changing('result', withLess),
};

describe('the contents that a log shows', () => {
  it('follow from event to event in right runs, on 1 to 7 ranks, passes done again among them', async () => {
    for (const ranks of [1, 2, 3, 4, 5, 6, 7]) {
      const passes = [BOTH, [...BOTH, ...BOTH], [...BOTH, 'backward']] as const;
      for (const directions of ranks > 4 ? passes.slice(0, 1) : passes) {
        const stray = strayContents(await logOf({ ranks, directions }), extentsOf(ranks));
        expect([ranks, directions, stray]).toEqual([ranks, directions, null]);
      }
    }
  });

  for (const name of NAMES) {
    it(`follow in right runs of ${name}`, async () => {
      const { isSkipped } = checkedOf(name);
      for (const ranks of ranksOf(name, [1, 2, 3, 4])) {
        const log = await logOf({ ranks, directions: [...BOTH, 'forward'], name });
        const stray = strayContents(log, extentsOf(ranks), isSkipped ? { isSkipped } : {});
        expect([ranks, stray]).toEqual([ranks, null]);
      }
    });
  }

  it('tell where pairs were left out that nobody allowed', async () => {
    const log = await logOf({
      ranks: 3,
      directions: BOTH,
      name: 'lv-xattn, causal blocks skipped',
    });
    expect(strayContents(log, extentsOf(3))?.what).toMatch('finished result of block 0');
  });

  it('follow with every feature, on every device and transport, and are the same on threads', async () => {
    for (const [n, [feature, changes]] of FEATURE_CASES.entries()) {
      const partition = { ranks: 3, q: [3, 0, 1], kv: [2, 7, 0] };
      const sizes = { seq_q: 4, seq_kv: 9, partition };
      // Every schedule in its turn; the heads of some cases cannot be dealt out to three ranks.
      const names = SCHEDULE_NAMES.filter((name) => !['ulysses', 'head-parallel'].includes(name));
      const schedule = names[n % names.length] ?? 'lv-xattn';
      const c = drawCase(4, { ...changes, ...sizes });
      for (const device of ['reference', 'webasm'] as const) {
        const options = { schedule, device, observing: true } as const;
        const simulated = await run(c, { ...options, transport: 'simulated', seed: 1 });
        const threads = await run(c, { ...options, transport: 'threads' });
        for (const { log } of [simulated, threads]) {
          const stray = strayContents(log, c.parameters);
          expect([feature, schedule, device, stray]).toEqual([feature, schedule, device, null]);
        }
        expect(differingRank(simulated.log, threads.log, 3)).toBeNull();
      }
    }
  });

  for (const [name, { fault, what }] of Object.entries(FAULTS)) {
    it(`do not where a run ${name}, though its operations are those of the schedule`, async () => {
      const directions = [...BOTH, ...BOTH];
      const { log } = await runOf({ ranks: 3, directions, fault, alike: true });
      expect(strayContents(log, extentsOf(3, true))?.what).toMatch(what);
    });
  }

  for (const [name, fault] of Object.entries(REFUSED)) {
    it(`are not there where a run ${name}: it refuses the message`, async () => {
      const { refused } = await runOf({ ranks: 3, directions: BOTH, fault, alike: true });
      expect(refused).toMatch('was changed on the way');
    });
  }

  for (const [op, times, what] of [
    ['merge', 2, 'one of them again'],
    ['merge', 0, 'finished result of block'],
    ['computeBlock', 2, 'one of them again'],
  ] as const) {
    it(`do not where a run does ${op} ${times} times, as a wrong schedule has it`, async () => {
      const log = await logOf({
        ranks: 3,
        directions: BOTH,
        fault: { schedule: (o) => (o.op === op ? Array<Operation>(times).fill(o) : [o]) },
      });
      expect(strayContents(log, extentsOf(3))?.what).toContain(what);
    });
  }

  it('differ from those of another run where a kernel goes wrong under the right label', async () => {
    const right = await logOf({ ranks: 3, directions: BOTH });
    let merges = 0;
    const fault: Fault = {
      device: (device) => ({
        merge: (a, b, width) => (++merges >= 5 ? a : device.merge(a, b, width)),
      }),
    };
    const wrong = await logOf({ ranks: 3, directions: BOTH, fault });
    expect(merges).toBe(9);
    expect(differingRank(right, await logOf({ ranks: 3, directions: BOTH }), 3)).toBeNull();
    expect(differingRank(right, wrong, 3)).not.toBeNull();
  });

  it('are asked for: a log without them is refused, and a run does not hash unless asked', async () => {
    const { log } = await runLvXattn(caseOf(3), { transport: 'simulated', device: 'reference' });
    expect(log.every(({ seen }) => seen === null)).toBe(true);
    expect(strayContents(log, extentsOf(3))).toMatchObject({ at: 0, what: 'nothing was observed' });
  });
});

describe('the hash of contents', () => {
  const of = (...parts: Real[]) => contentsOf(null, parts);

  it('is FNV-1a of the bytes, however they are cut into parts', () => {
    const bytes = new TextEncoder().encode('foobar--');
    expect(of(new Float64Array(bytes.buffer)).hash).toBe(fnv1a(bytes));
    // The published value of FNV-1a 32 for "foobar" is 0xbf9cf968: the plain definition below has it.
    expect(fnv1a(bytes.slice(0, 6))).toBe(0xbf9cf968);
    const whole = Float32Array.of(1, 2, 3);
    expect(of(whole.subarray(0, 1), whole.subarray(1))).toEqual(of(whole));
  });

  it('tells zeros from anything else, a negative zero among it', () => {
    expect(areZeros(of(new Float64Array(9), new Float32Array(2)))).toBe(true);
    expect(areZeros(of())).toBe(true);
    expect(areZeros(of(Float64Array.of(0, -0)))).toBe(false);
    expect(areZeros(of(Float64Array.of(0, Number.MIN_VALUE)))).toBe(false);
  });
});

/** FNV-1a, 32 bits, in integers without bound. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n;
  return Number(hash);
}
