import { afterAll, describe, expect, it } from 'vitest';
import { deviceOf } from '../../gpu/device/choose.ts';
import type { Device, Real } from '../../gpu/device/device.ts';
import { distribute } from '../../gpu/distribute.ts';
import { interpret, type Log, type RankEvent } from '../../gpu/interpreter.ts';
import { closeWorkers, runLvXattn } from '../../gpu/run.ts';
import { areZeros, contentsOf } from '../../gpu/observation.ts';
import { makeRank, type Rank } from '../../gpu/rank.ts';
import type { Direction, Lane, Operation, Slot } from '../../gpu/schedule.ts';
import { interleave, simulatedTransport } from '../../gpu/transport/simulated.ts';
import type { Transport } from '../../gpu/transport/transport.ts';
import { drawCase } from '../../reference/draw-case.ts';
import { FEATURE_CASES } from '../../reference/testing/feature-cases.ts';
import { strayingRank } from './accept.ts';
import { differingRank, strayContents } from './contents.ts';
import { passesOf, unevenLayout } from './schedules.ts';

afterAll(closeWorkers);

interface Fault {
  readonly rank?: (right: Rank, number: number) => Partial<Rank>;
  readonly wires?: (right: Transport) => Partial<Transport>;
  readonly device?: (right: Device) => Partial<Device>;
  /** For wrong schedules: what stands for an operation of rank 1. */
  readonly schedule?: (operation: Operation) => readonly Operation[];
}

const BOTH = ['forward', 'backward'] as const;

/**
 * A case over uneven blocks, one of each kind empty from two ranks on; or with query blocks of one
 * size, of which no length tells which is which.
 */
function caseOf(ranks: number, alike = false) {
  const uneven = unevenLayout(ranks);
  const partition = alike ? { ...uneven, q: uneven.q.map(() => 2) } : uneven;
  const total = (sizes: readonly number[]) => sizes.reduce((a, b) => a + b, 0);
  const sizes = { seq_q: total(partition.q), seq_kv: total(partition.kv) };
  return drawCase(3, {
    partition,
    ...sizes,
    sink: true,
    dim_y: 3,
    mask: [sizes.seq_q, sizes.seq_kv],
  });
}

/** The log of a run in which something is wrong that no schedule says: its words are all right. */
function logOf(
  ranks: number,
  directions: readonly Direction[],
  fault: Fault = {},
  alike = false,
): RankEvent[] {
  const log: Log = { events: [], observing: true };
  const plain = simulatedTransport();
  const wires = { ...plain, ...fault.wires?.(plain) };
  const device = deviceOf('reference');
  const machine = { ...device, ...fault.device?.(device) };
  const all = distribute(caseOf(ranks, alike), 'f64').map((shard, n) => {
    const right = makeRank(shard, machine);
    return { ...right, ...fault.rank?.(right, n) };
  });
  const { schedule = (o: Operation) => [o] } = fault;
  const passes = passesOf('lv-xattn', ranks, directions, true).map((pass) => ({
    ...pass,
    ranks: pass.ranks.map((list, n) => (n === 1 ? list.flatMap(schedule) : list)),
  }));
  interleave(
    all.map((rank, n) => interpret(rank, n, passes, wires, log)),
    5,
  );
  const sorted = [...log.events].sort((a, b) => a.order - b.order);
  expect(strayingRank(sorted, passes)).toBeNull();
  return sorted;
}

const opposite = (slot: Slot): Slot => (slot === 0 ? 1 : 0);

/** A rank that does something else, or more, or nothing, in place of an operation. */
const instead = (
  number: number,
  op: Operation['op'],
  act: (right: Rank, o: Operation) => void,
) => ({
  rank: (right: Rank, n: number): Partial<Rank> => ({
    execute: (o) => (n === number && o.op === op ? act(right, o) : right.execute(o)),
  }),
});

const twice = (right: Rank, o: Operation): void => {
  right.execute(o);
  right.execute(o);
};

/** Hands over the payload of the message before under the label of this one, where sizes agree. */
function exchanging(lane: Lane): Fault {
  return {
    wires: (right) => {
      let last: Real | null = null;
      return {
        trySend: (to, which, message) => {
          const { payload } = message;
          const same = which === lane && last?.length === payload.length;
          const sent = right.trySend(
            to,
            which,
            same && last ? { ...message, payload: last } : message,
          );
          if (sent !== null && which === lane && payload.length > 0) last = payload.slice();
          return sent;
        },
      };
    },
  };
}

/** A bit of a number that is received. */
const flipping = (lane: Lane): Fault => ({
  wires: (right) => ({
    tryReceive: (rank, which) => {
      const message = right.tryReceive(rank, which);
      if (message !== null && which === lane && message.payload.length > 0) {
        const { buffer, byteOffset } = message.payload;
        const bytes = new Uint8Array(buffer, byteOffset);
        bytes[0] = (bytes[0] ?? 0) ^ 1;
      }
      return message;
    },
  }),
});

/** Each with the passes it needs to show and what is said of it. */
const FAULTS: Readonly<Record<string, { fault: Fault; what: RegExp }>> = {
  'puts received queries into the other slot': {
    what: /query\d is not the message received|changed query/,
    fault: {
      rank: (right, n) => ({
        accept: (lane, slot, block, message) =>
          right.accept(
            lane,
            n === 1 && lane === 'query' && block === 2 ? opposite(slot) : slot,
            block,
            message,
          ),
      }),
    },
  },
  'loads its queries into both slots': {
    what: /changed query/,
    fault: instead(1, 'loadQuery', (right, o) => {
      right.execute(o);
      if (o.op === 'loadQuery') right.execute({ ...o, slot: opposite(o.slot) });
    }),
  },
  'receives into a buffer and keeps what was there': {
    what: /result\d is not the message received/,
    fault: {
      rank: (right) => {
        let old: Real | null = null;
        return {
          accept: (lane, slot, block, message) => {
            const stale = lane === 'result' && old?.length === message.payload.length ? old : null;
            if (lane === 'result' && message.payload.length > 0) old = message.payload.slice();
            right.accept(lane, slot, block, { ...message, payload: stale ?? message.payload });
          },
        };
      },
    },
  },
  'drops a merge': { what: /result\d has block/, fault: instead(2, 'merge', () => {}) },
  'merges twice': { what: /result\d has block/, fault: instead(2, 'merge', twice) },
  'drops a computation and merges the one before': {
    what: /delta has block/,
    fault: instead(0, 'computeBlock', (right, o) => {
      if (o.op === 'computeBlock' && o.block !== 2) right.execute(o);
    }),
  },
  'adds to dK and dV twice': { what: /sums has block/, fault: instead(0, 'computeBlock', twice) },
  'keeps no finished result': {
    what: /kept what was not there/,
    fault: instead(1, 'finish', () => {}),
  },
  'does not recompute its keys': {
    what: /other numbers of its own/,
    fault: {
      rank: (right, n) => {
        let done = 0;
        return {
          execute: (o) => {
            if (n !== 1 || o.op !== 'recomputeKV' || done++ === 0) right.execute(o);
          },
        };
      },
    },
  },
  'starts a pass with what the last one left': {
    what: /not empty when the pass begins|sums do not start from zero/,
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
    what: /sums do not start from zero/,
    fault: {
      rank: (right, n) => ({
        begin: (direction) => {
          right.begin(direction);
          if (n === 0) right.result().dK.fill(1);
        },
      }),
    },
  },
  'changes a bit of a query on the way': {
    what: /another message than was sent/,
    fault: flipping('query'),
  },
  'changes a bit of a result on the way': {
    what: /another message than was sent/,
    fault: flipping('result'),
  },
  'hands over the queries of one block as those of another': {
    what: /another message than (was sent|is in)/,
    fault: exchanging('query'),
  },
  'hands over the result of one block as that of another': {
    what: /another message than (was sent|is in)/,
    fault: exchanging('result'),
  },
  'sends the other slot under the right label': {
    what: /another message than is in/,
    fault: {
      rank: (right, n) => ({
        outgoing: (lane, slot) => {
          const { block, merged } = right.outgoing(lane, slot);
          const { payload } = right.outgoing(lane, n === 2 ? opposite(slot) : slot);
          return { block, merged, payload };
        },
      }),
    },
  },
  'loses a rank of the merged set on the way': {
    what: /another message than was sent/,
    fault: {
      wires: (right) => ({
        tryReceive: (rank, lane) => {
          const message = right.tryReceive(rank, lane);
          return message && { ...message, merged: message.merged.slice(1) };
        },
      }),
    },
  },
  'delivers into memory that the next message overwrites': {
    what: /changed (query|result)\d, or something else did|another message than is in/,
    fault: {
      wires: (right) => {
        const boxes = new Map<string, Float64Array>();
        return {
          tryReceive: (rank, lane) => {
            const message = right.tryReceive(rank, lane);
            if (message === null) return null;
            const box = boxes.get(`${lane}${rank}`) ?? new Float64Array(1 << 12);
            boxes.set(`${lane}${rank}`, box);
            box.set(message.payload);
            return { ...message, payload: box.subarray(0, message.payload.length) };
          },
        };
      },
    },
  },
};

describe('the contents that a log shows', () => {
  it('follow from event to event in right runs, on 1 to 7 ranks, passes done again among them', () => {
    for (const ranks of [1, 2, 3, 4, 5, 6, 7]) {
      for (const directions of [
        ['forward'],
        BOTH,
        [...BOTH, ...BOTH],
        [...BOTH, 'backward'],
      ] as const) {
        const log = logOf(ranks, directions);
        expect([ranks, directions, strayContents(log, ranks)]).toEqual([ranks, directions, null]);
      }
    }
  });

  it('follow with every feature, on every device and transport, and are the same on threads', async () => {
    for (const [feature, changes] of FEATURE_CASES) {
      const partition = { ranks: 3, q: [3, 0, 1], kv: [2, 7, 0] };
      const c = drawCase(4, { ...changes, seq_q: 4, seq_kv: 9, partition });
      for (const device of ['reference', 'webasm'] as const) {
        const run = { device, observing: true } as const;
        const simulated = await runLvXattn(c, { ...run, transport: 'simulated', seed: 1 });
        const threads = await runLvXattn(c, { ...run, transport: 'threads' });
        for (const { log } of [simulated, threads]) {
          expect([feature, device, strayContents(log, 3)]).toEqual([feature, device, null]);
        }
        expect(differingRank(simulated.log, threads.log, 3)).toBeNull();
      }
    }
  });

  for (const [name, { fault, what }] of Object.entries(FAULTS)) {
    it(`do not where a run ${name}, though its operations are those of the schedule`, () => {
      const log = logOf(3, [...BOTH, ...BOTH], fault, true);
      expect(strayContents(log, 3)?.what).toMatch(what);
    });
  }

  for (const [op, times, what] of [
    ['merge', 2, 'merged again'],
    ['merge', 0, 'finished block'],
    ['computeBlock', 2, 'finished with dK and dV of blocks'],
  ] as const) {
    it(`do not where a run does ${op} ${times} times, as a wrong schedule has it`, () => {
      const log = logOf(3, BOTH, {
        schedule: (o) => (o.op === op ? Array<Operation>(times).fill(o) : [o]),
      });
      expect(strayContents(log, 3)?.what).toContain(what);
    });
  }

  it('differ from those of another run where a kernel goes wrong under the right label', () => {
    const right = logOf(3, BOTH);
    let merges = 0;
    const wrong = logOf(3, BOTH, {
      device: (device) => ({
        merge: (a, b, width) => (++merges === 5 ? a : device.merge(a, b, width)),
      }),
    });
    expect(merges).toBe(9);
    expect(differingRank(right, logOf(3, BOTH), 3)).toBeNull();
    expect(differingRank(right, wrong, 3)).not.toBeNull();
  });

  it('are asked for: a log without them is refused, and a run does not hash unless asked', async () => {
    const { log } = await runLvXattn(caseOf(3), { transport: 'simulated', device: 'reference' });
    expect(log.every(({ seen }) => seen === null)).toBe(true);
    expect(strayContents(log, 3)).toMatchObject({ at: 0, what: 'nothing was observed' });
  });
});

describe('the hash of contents', () => {
  const of = (...parts: Real[]) => contentsOf({ parts, block: 0, merged: [] });

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
