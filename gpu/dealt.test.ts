import { describe, expect, it } from 'vitest';
import type { OutputName } from '../reference/case/case.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import type { GivenOutputs } from '../reference/case/given.ts';
import { judge } from '../reference/verdict/judge.ts';
import { dealtFor, howDealt } from './dealt.ts';
import { passesOf, run } from './run.ts';
import { DEALS_HEADS } from './schedules/index.ts';

/** Uneven blocks, every third one empty. */
const blocks = (ranks: number, first: number): number[] =>
  Array.from({ length: ranks }, (_, n) => (n % 3 === 1 ? 0 : first + (n % 2)));
const total = (list: readonly number[]): number => list.reduce((sum, n) => sum + n, 0);
const ends = (list: readonly number[]): number[] => list.map((_, n) => total(list.slice(0, n + 1)));

function caseOf(ranks: number, heads: number) {
  const [q, kv] = [blocks(ranks, 1), blocks(ranks, 2)];
  const sizes = { seq_q: total(q), seq_kv: total(kv), partition: { ranks, q, kv } };
  return drawCase(9, { ...sizes, heads, kv_heads: heads, sink: true, causal: 'top-left' });
}

describe('a case for a schedule that deals heads out', () => {
  it.each(DEALS_HEADS)('runs under %s on the most ranks that heads come out even over', (name) => {
    for (let ranks = 1; ranks <= 9; ranks++) {
      for (let heads = 1; heads <= 12; heads++) {
        const given = caseOf(ranks, heads);
        const dealt = dealtFor(name, given);
        const divisors = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].filter((n) => heads % n === 0);
        const most = Math.max(...divisors.filter((n) => n <= ranks));
        expect(howDealt(name, given, dealt)).toEqual({ given: ranks, ran: most });
        const { partition } = dealt.parameters;
        for (const side of ['q', 'kv'] as const) {
          const [before, after] = [given.parameters.partition[side], partition[side]];
          expect([after.length, total(after)]).toEqual([most, total(before)]);
          // Blocks stay whole and in order: each new one ends where an old one does.
          expect(ends(before)).toEqual(expect.arrayContaining(ends(after)));
        }
        if (ranks === most) expect(dealt).toBe(given);
      }
    }
  });

  it.each(DEALS_HEADS)('has the same answer under %s', async (schedule) => {
    for (const [ranks, heads] of [
      [3, 4],
      [5, 4],
      [7, 3],
      [6, 4],
      [4, 5],
    ] as const) {
      const given = caseOf(ranks, heads);
      const dealt = dealtFor(schedule, given);
      const how = { schedule, transport: 'simulated', device: 'reference' } as const;
      const outputs: GivenOutputs = {};
      for (const [name, tensor] of Object.entries((await run(dealt, how)).outputs)) {
        outputs[name as OutputName] = { dtype: 'F64', tensor };
      }
      expect([ranks, heads, judge(given, outputs, 'f64').verdict]).toEqual([ranks, heads, 'pass']);
    }
  });

  it('keeps its ranks under usp, in a grid wherever ranks and heads give one', () => {
    for (let ranks = 1; ranks <= 12; ranks++) {
      for (let heads = 1; heads <= 12; heads++) {
        const given = caseOf(ranks, heads);
        expect(dealtFor('usp', given)).toBe(given);
        const { group = 0 } = howDealt('usp', given, given);
        expect([ranks % group, heads % group]).toEqual([0, 0]);
        const grids = [2, 3, 4, 5, 6].filter((n) => ranks % n === 0 && heads % n === 0);
        const grid = grids.some((n) => n < ranks);
        expect([ranks, heads, group > 1 && group < ranks]).toEqual([ranks, heads, grid]);
        // What it says is what runs: keys are exchanged with the group's others alone.
        const sends = passesOf(given, 'usp')[0]?.ranks[0]?.filter(
          (one) => one.op === 'send' && one.lane === 'keys',
        );
        expect(sends).toHaveLength(group - 1);
      }
    }
  });
});
