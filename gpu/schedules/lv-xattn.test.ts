import { describe, expect, it } from 'vitest';
import type { Operation } from '../schedule.ts';
import { lvXattnSchedule } from './lv-xattn.ts';

const layout = (ranks: number) => ({ ranks, q: Array(ranks).fill(2), kv: Array(ranks).fill(3) });
const all = (ranks: number, direction: 'forward' | 'backward') =>
  lvXattnSchedule(layout(ranks), direction).ranks.flat();
const sends = (list: readonly Operation[], lane: string) =>
  list.filter((op) => op.op === 'send' && op.lane === lane).length;

describe('the LV-XAttn schedule', () => {
  for (const ranks of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`computes every pair of blocks once on ${ranks} ranks`, () => {
      for (const direction of ['forward', 'backward'] as const) {
        const pairs = all(ranks, direction).flatMap((op) =>
          op.op === 'computeBlock' ? [`${op.block}/${op.keys}`] : [],
        );
        expect(new Set(pairs).size).toBe(ranks * ranks);
        expect(pairs.length).toBe(ranks * ranks);
      }
    });

    it(`sends queries n − 1 and results n hops on ${ranks} ranks, each block home at the end`, () => {
      const list = all(ranks, 'forward');
      expect(sends(list, 'query')).toBe(ranks * (ranks - 1));
      expect(sends(list, 'result')).toBe(ranks === 1 ? 0 : ranks * ranks);
      lvXattnSchedule(layout(ranks), 'forward').ranks.forEach((operations, rank) => {
        expect(operations.at(-1)).toMatchObject({
          op: 'finish',
          block: rank,
          slot: ranks === 1 ? 0 : ranks % 2,
        });
      });
    });

    it(`pairs every send with a receive of the same block on ${ranks} ranks`, () => {
      const { ranks: lists } = lvXattnSchedule(layout(ranks), 'backward');
      lists.forEach((operations, rank) => {
        for (const lane of ['query', 'result']) {
          const sent = operations.flatMap((op) =>
            op.op === 'send' && op.lane === lane ? [op.block] : [],
          );
          const next = lists[(rank + 1) % ranks]!;
          const received = next.flatMap((op) =>
            op.op === 'receive' && op.lane === lane ? [op.block] : [],
          );
          expect(received).toEqual(sent);
        }
      });
    });

    it(`never fills a slot that has not been sent on, on ${ranks} ranks`, () => {
      for (const operations of lvXattnSchedule(layout(ranks), 'forward').ranks) {
        const holds = new Map<string, number>();
        for (const op of operations) {
          if (op.op === 'loadQuery') holds.set(`query${op.slot}`, op.block);
          if (op.op === 'initResult') holds.set(`result${op.slot}`, op.block);
          if (op.op === 'receive') holds.set(`${op.lane}${op.slot}`, op.block);
          if (op.op === 'send') expect(holds.get(`${op.lane}${op.slot}`)).toBe(op.block);
          if (op.op === 'computeBlock') expect(holds.get(`query${op.slot}`)).toBe(op.block);
          if (op.op === 'merge' || op.op === 'finish')
            expect(holds.get(`result${op.slot}`)).toBe(op.block);
        }
      }
    });
  }

  it('is plain data, and recomputes K and V where asked', () => {
    const schedule = lvXattnSchedule(layout(3), 'backward', { recompute: true });
    expect(JSON.parse(JSON.stringify(schedule))).toEqual(schedule);
    expect(schedule.ranks[0]!.map(({ op }) => op)).toEqual([
      'recomputeKV',
      'loadQuery',
      'initResult',
      'send',
      'computeBlock',
      'merge',
      'receive',
      'send',
      'send',
      'computeBlock',
      'receive',
      'merge',
      'receive',
      'send',
      'computeBlock',
      'receive',
      'merge',
      'send',
      'receive',
      'finish',
      'projectGradients',
    ]);
  });
});
