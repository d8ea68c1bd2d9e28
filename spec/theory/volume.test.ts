/**
 * The volumes that are planned with are those that are proved: bytes of the cost model's passes, and
 * elements of uneven blocks, against the right sides of Volume.v's theorems.
 * @module
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutBytes } from '../../gpu/costs/layout-bytes.ts';
import { bytesSent } from '../../gpu/costs/phases.ts';
import { layerCost, type ScheduleName } from '../../gpu/costs/schedules.ts';
import { AS_PUBLISHED, type Options, type Workload } from '../../gpu/costs/workload.ts';
import { constantsChanged } from './agree.ts';
import { CoqFormulas } from './coq-formula.ts';

const source = readFileSync(new URL('Volume.v', import.meta.url), 'utf8');

interface Sizes {
  readonly n: number;
  readonly sq: number;
  readonly skv: number;
  readonly heads: number;
  readonly dim: number;
}

const sizes: fc.Arbitrary<Sizes> = fc.record({
  n: fc.integer({ min: 2, max: 64 }),
  sq: fc.integer({ min: 1, max: 5000 }),
  skv: fc.integer({ min: 1, max: 500_000 }),
  heads: fc.integer({ min: 1, max: 16 }),
  dim: fc.integer({ min: 1, max: 128 }),
});

/** The right side of the equation that a theorem concludes with, of its first where it has two. */
function rightSide(name: string): string {
  const [, statement = ''] = source.split(`Theorem ${name} :`);
  const conclusion = statement.split('.\nProof')[0]?.split('->').at(-1)?.split('/\\')[0];
  const [left, side, ...rest] = conclusion?.split(/\s=\s/) ?? [];
  if (left === undefined || side === undefined || rest.length > 0) {
    throw new Error(`Volume.v has no theorem ${name} that concludes with an equation`);
  }
  return side.replaceAll('INR n ^ 2', '(INR n * INR n)').trim();
}

const evaluate = (text: string, { n, sq, skv, heads, dim }: Sizes): number =>
  new CoqFormulas({ INR: (x) => x })
    .define(`Definition side (n sq skv e h : R): R := ${text}.\n`, ['side'])
    .evaluate('side', { n, sq, skv, e: heads * dim, h: heads });

function workload({ n, sq, skv, heads, dim }: Sizes): Workload {
  return {
    ...{ ranks: n, ranks_per_node: n, seq_q: sq, seq_kv: skv, heads, kv_heads: heads },
    ...{ head_dim: dim, hidden: heads * dim, visual_dim: heads * dim },
    ...{ element_bytes: 1, scalar_bytes: 1 },
  };
}

function planned(name: ScheduleName, direction: 'forward' | 'backward', options: Options) {
  return (x: Sizes): number => bytesSent(layerCost(name, workload(x), options)[direction]);
}

const DELTA = { ...AS_PUBLISHED, backwardSends: 'delta' } as const;

const COMPARED: Readonly<Record<string, (x: Sizes) => number>> = {
  lv_forward_equal: planned('lv-xattn', 'forward', AS_PUBLISHED),
  lv_backward_equal: planned('lv-xattn', 'backward', DELTA),
  lv_backward_paper_equal: planned('lv-xattn', 'backward', AS_PUBLISHED),
  ring_forward_equal: planned('ring-attention', 'forward', AS_PUBLISHED),
  ring_backward_equal: planned('ring-attention', 'backward', AS_PUBLISHED),
  ulysses_equal: planned('ulysses', 'forward', AS_PUBLISHED),
};

function agree(text: string, compare: (x: Sizes) => number): void {
  fc.assert(
    fc.property(sizes, (x) => {
      const proved = evaluate(text, x);
      expect(Math.abs(compare(x) - proved)).toBeLessThanOrEqual(1e-11 * proved);
    }),
    { seed: 4, numRuns: 200 },
  );
}

describe('volumes of equal blocks', () => {
  for (const [theorem, compare] of Object.entries(COMPARED)) {
    it(`${theorem} is what is planned with, and no other constant is`, () => {
      const text = rightSide(theorem);
      agree(text, compare);
      const changed = [...constantsChanged(text)];
      expect(changed.length).toBeGreaterThan(0);
      for (const other of changed) expect(() => agree(other, compare)).toThrow('Property failed');
    });
  }

  it('Ulysses sends the same in both passes', () => {
    agree(rightSide('ulysses_equal'), planned('ulysses', 'backward', AS_PUBLISHED));
  });
});

/** Both sides of the condition that is proved to be when LV-XAttn sends less. */
function condition(name: string): { readonly less: string; readonly more: string } {
  const [, statement = ''] = source.split(`Theorem ${name} :`);
  const [less, more, ...rest] = statement.split('.\nProof')[0]?.split('<->')[1]?.split(' < ') ?? [];
  if (less === undefined || more === undefined || rest.length > 0) {
    throw new Error(`Volume.v has no theorem ${name} that says when`);
  }
  const plain = (text: string): string =>
    text.replaceAll('r ^ 2', '(r * r)').replaceAll(/\br\b/g, 'INR n').trim();
  return { less: plain(less), more: plain(more) };
}

describe('when LV-XAttn sends less', () => {
  const lv = {
    forward: planned('lv-xattn', 'forward', AS_PUBLISHED),
    backward: planned('lv-xattn', 'backward', DELTA),
  };
  for (const other of ['ring-attention', 'ulysses'] as const) {
    for (const direction of ['forward', 'backward'] as const) {
      const theorem = `lv_beats_${other.split('-')[0]}_${direction}`;
      it(`is as ${theorem} has it`, () => {
        const { less, more } = condition(theorem);
        const theirs = planned(other, direction, AS_PUBLISHED);
        const seen = new Set<boolean>();
        fc.assert(
          fc.property(sizes, fc.double({ min: 0, max: 6, noNaN: true }), (x, share) => {
            // Near the threshold, on either side of it.
            const near = { ...x, skv: Math.ceil(x.sq * share * (other === 'ulysses' ? x.n : 1)) };
            const beats = evaluate(less, near) < evaluate(more, near);
            seen.add(beats);
            expect(lv[direction](near) < theirs(near)).toBe(beats);
          }),
          { seed: 6, numRuns: 1000 },
        );
        expect(seen.size).toBe(2);
      });
    }
  }
});

describe('volumes of uneven blocks', () => {
  const uneven = fc.record({
    blocks: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 7 }),
    rank: fc.nat(6),
    heads: fc.integer({ min: 1, max: 4 }),
    dim: fc.integer({ min: 1, max: 9 }),
  });

  /** Elements of the right side, `nth …` and `total blocks` put in as numbers. */
  const proved = (
    theorem: string,
    blocks: readonly number[],
    rank: number,
    e: number,
    h: number,
  ) => {
    const total = blocks.reduce((sum, rows) => sum + rows, 0);
    const next = blocks[(rank + 1) % blocks.length] ?? 0;
    const text = rightSide(theorem)
      .replaceAll(/nth \(\(i \+ 1\) mod length blocks\) blocks 0/g, String(next))
      .replaceAll('total blocks', String(total));
    return new CoqFormulas({})
      .define(`Definition side (e h : R): R := ${text}.\n`, ['side'])
      .evaluate('side', { e, h });
  };

  it('lv_forward_uneven, lv_backward_uneven and ring_uneven are what layouts add up to', () => {
    fc.assert(
      fc.property(uneven, ({ blocks, rank, heads, dim }) => {
        const i = rank % blocks.length;
        const sent = (name: ScheduleName, direction: 'forward' | 'backward') => {
          const partition = { ranks: blocks.length, q: blocks, kv: blocks };
          const sizes = { element_bytes: 1, scalar_bytes: 1 };
          const e = {
            ...{ batch: 1, heads, kv_heads: heads, media: null, partition },
            ...{ head_dim: dim, head_dim_v: dim },
          };
          return layoutBytes(name, direction, e, sizes, DELTA)[i] ?? Number.NaN;
        };
        const e = heads * dim;
        const expected = (theorem: string) => proved(theorem, blocks, i, e, heads);
        expect(sent('lv-xattn', 'forward')).toBe(expected('lv_forward_uneven'));
        expect(sent('lv-xattn', 'backward')).toBe(expected('lv_backward_uneven'));
        const keys = sent('ring-attention', 'forward');
        expect(keys).toBe(expected('ring_uneven'));
        const total = blocks.reduce((sum, rows) => sum + rows, 0);
        expect(sent('ring-attention', 'backward') - keys).toBe(total * 2 * e);
      }),
      { seed: 5 },
    );
  });

  it('one rank sends nothing', () => {
    for (const compare of Object.values(COMPARED)) {
      expect(compare({ n: 1, sq: 5, skv: 9, heads: 2, dim: 3 })).toBe(0);
    }
  });
});
