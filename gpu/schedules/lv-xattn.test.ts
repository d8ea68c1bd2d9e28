import { describe, expect, it } from 'vitest';
import { promelaModel } from '../promela.ts';
import type { BufferName, Direction, Kind, Operation } from '../schedule.ts';
import { lvXattnSchedule } from './lv-xattn.ts';

const layout = (ranks: number) => ({ ranks, q: Array(ranks).fill(2), kv: Array(ranks).fill(3) });
const listsOf = (ranks: number, direction: Direction) =>
  lvXattnSchedule(layout(ranks), direction).ranks;
const LANES = ['query', 'result'] as const;

/** The blocks of a rank's messages on a lane, one way. */
const blocksOf = (list: readonly Operation[], op: 'send' | 'receive', lane: Kind) =>
  list.flatMap((o) => (o.op === op && o.lane === lane ? [o.blocks] : []));

/** Follows a rank's list: calls `visit` with each operation and the blocks in its buffers before it. */
function follow(
  list: readonly Operation[],
  rank: number,
  visit: (o: Operation, holds: ReadonlyMap<BufferName, readonly number[]>) => void,
): void {
  const holds = new Map<BufferName, readonly number[]>();
  for (const o of list) {
    visit(o, holds);
    if (o.op === 'loadQuery' || o.op === 'loadKeys') holds.set(o.into, [rank]);
    if (o.op === 'initResult') holds.set(o.into, holds.get(o.like) ?? []);
    if (o.op === 'receive') holds.set(o.buffer, o.blocks);
    if (o.op === 'computeBlock') holds.set(o.into, holds.get(o.query) ?? []);
  }
}

describe('the LV-XAttn schedule', () => {
  for (const ranks of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`computes every pair of blocks once on ${ranks} ranks`, () => {
      for (const direction of ['forward', 'backward'] as const) {
        const pairs: string[] = [];
        for (const [rank, list] of listsOf(ranks, direction).entries()) {
          follow(list, rank, (o, holds) => {
            if (o.op === 'computeBlock') pairs.push(`${holds.get(o.query)}/${holds.get(o.keys)}`);
          });
        }
        expect(new Set(pairs).size).toBe(ranks * ranks);
        expect(pairs.length).toBe(ranks * ranks);
      }
    });

    it(`sends queries n − 1 and results n hops on ${ranks} ranks, each block home at the end`, () => {
      const lists = listsOf(ranks, 'forward');
      const sent = (lane: Kind) => lists.flatMap((list) => blocksOf(list, 'send', lane)).length;
      expect(sent('query')).toBe(ranks * (ranks - 1));
      expect(sent('result')).toBe(ranks === 1 ? 0 : ranks * ranks);
      expect(sent('keys') + sent('gradients')).toBe(0);
      lists.forEach((list, rank) => {
        follow(list, rank, (o, holds) => {
          if (o.op === 'finish') expect(holds.get(o.buffer)).toEqual([rank]);
        });
        const buffer = `result${ranks === 1 ? 0 : ranks % 2}`;
        expect(list.at(-1)).toEqual({ op: 'finish', buffer });
      });
    });

    it(`pairs every send with a receive of the same block on ${ranks} ranks`, () => {
      const lists = listsOf(ranks, 'backward');
      lists.forEach((list, rank) => {
        for (const lane of LANES) {
          const next = lists[(rank + 1) % ranks]!;
          expect(blocksOf(next, 'receive', lane)).toEqual(blocksOf(list, 'send', lane));
        }
      });
    });

    it(`reads from no buffer another block than it names, on ${ranks} ranks`, () => {
      for (const [rank, list] of listsOf(ranks, 'forward').entries()) {
        follow(list, rank, (o, holds) => {
          if (o.op === 'send') expect(holds.get(o.buffer)).toEqual(o.blocks);
          if (o.op === 'merge') expect(holds.get(o.buffer)).toEqual(holds.get(o.into));
        });
      }
    });
  }

  it('is plain data, and recomputes K and V where asked', () => {
    const schedule = lvXattnSchedule(layout(3), 'backward', { recompute: true });
    expect(JSON.parse(JSON.stringify(schedule))).toEqual(schedule);
    expect(schedule.ranks[0]!.map(({ op }) => op)).toEqual([
      ...['recomputeKV', 'initGradients', 'loadQuery', 'initResult'],
      ...['send', 'computeBlock', 'merge', 'receive'],
      ...['send', 'send', 'computeBlock', 'receive', 'merge', 'receive'],
      ...['send', 'computeBlock', 'receive', 'merge'],
      ...['send', 'receive', 'finish', 'finish', 'projectGradients'],
    ]);
  });

  it('leaves out pairs that may be skipped, and nothing else', () => {
    const isSkipped = (block: number, keys: number) => keys > block;
    for (const [rank, list] of lvXattnSchedule(layout(4), 'backward', {
      isSkipped,
    }).ranks.entries()) {
      const whole = listsOf(4, 'backward')[rank]!;
      const messages = (of: readonly Operation[]) =>
        of.filter(({ op }) => op === 'send' || op === 'receive');
      expect(messages(list)).toEqual(messages(whole));
      const met: unknown[] = [];
      follow(list, rank, (o, holds) => {
        if (o.op === 'computeBlock') met.push(holds.get(o.query)?.[0]);
      });
      expect([...met].sort()).toEqual([0, 1, 2, 3].filter((block) => block >= rank));
    }
  });

  it('without overlap computes while none of its messages are on the way', () => {
    for (const list of lvXattnSchedule(layout(4), 'forward', { overlap: false }).ranks) {
      const ops = list.map(({ op }) => op).join(' ');
      expect(ops).not.toMatch(/send( send)? computeBlock (receive|merge receive)/);
      expect(ops).toMatch('computeBlock merge send');
    }
    const overlapping = listsOf(4, 'forward')[0]!
      .map(({ op }) => op)
      .join(' ');
    expect(overlapping).toMatch(/send( send)? computeBlock (receive|merge receive)/);
  });
});

describe('what queries take along backward', () => {
  it('changes no operation but their loading, and nothing that the model knows of', () => {
    const layout = { ranks: 3, q: [1, 0, 2], kv: [2, 3, 0] };
    const passes = (sends: 'D' | 'O' | 'O, dLSE') =>
      (['forward', 'backward'] as const).map((direction) =>
        lvXattnSchedule(layout, direction, { sends }),
      );
    expect(promelaModel(passes('O'))).toBe(promelaModel(passes('D')));
    const loads = passes('O, dLSE').flatMap(({ ranks }) =>
      ranks.flatMap((list) => list.filter(({ op }) => op === 'loadQuery')),
    );
    for (const load of loads) expect(load).toMatchObject({ sends: 'O, dLSE' });
  });
});
