/**
 * Extents that a case's claim does not need are drawn from the seed: heads, batch entries, rows, keys and
 * widths near those of its spec, so that nobody can know an answer by the shape of its question.
 *
 * What a case is stays: one head stays one, a group stays a group, as many rows as keys stay as many, even
 * shards stay even. A spec `keeps` what its claim, its edits or its name speak of.
 * @module
 */

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Partition } from '../../reference/case/case.ts';
import type { Below } from '../../reference/case/draw-case.ts';
import type { Extent, SuiteSpec } from './suite-spec.ts';

export const EVERYTHING: readonly Extent[] = ['batch', 'heads', 'sizes', 'widths'];

/** Extents where a spec names none. */
export const PLAIN_EXTENTS = {
  ...{ batch: 1, heads: 2, kv_heads: 1, seq_q: 4, seq_kv: 9, head_dim: 8, head_dim_v: 6 },
} as const;

type Extents = { readonly [K in keyof typeof PLAIN_EXTENTS]: number };

/** One of n and the `more` numbers after it, so that 1 stays 1. */
const near = (n: number, more: number, below: Below): number => (n === 1 ? 1 : n + below(more + 1));

function heads(spec: SuiteSpec, below: Below): Pick<Extents, 'heads' | 'kv_heads'> {
  const { heads: all, kv_heads: kv } = { ...PLAIN_EXTENTS, ...spec };
  if (spec.heads === undefined && spec.kv_heads === undefined) {
    const [heads = 2, kv_heads = 1] = [
      [2, 1],
      [3, 1],
      [4, 2],
    ][below(3)] ?? [2, 1];
    return { heads, kv_heads };
  }
  // Many heads are work: of three and more one fewer, or as many.
  const drawn = kv >= 3 ? kv - below(2) : near(kv, 1, below);
  return { heads: (all / kv) * drawn, kv_heads: drawn };
}

/** Rows or keys by so much more: whole shards where the shards are even. */
function change(n: number, ranks: number, below: Below): number {
  if (n < 4) return 0;
  if (ranks > 1 && n % ranks === 0) return ranks * below(2);
  return n === 4 ? below(2) : below(4) - 1;
}

function sizes(
  spec: SuiteSpec,
  ranks: number,
  below: Below,
): Pick<Extents, 'seq_q' | 'seq_kv'> | null {
  const { seq_q, seq_kv } = { ...PLAIN_EXTENTS, ...spec };
  const [rows, keys] = [change(seq_q, ranks, below), change(seq_kv, ranks, below)];
  const drawn =
    seq_q === seq_kv
      ? { seq_q: seq_q + rows, seq_kv: seq_kv + rows }
      : { seq_q: seq_q + rows, seq_kv: seq_kv + keys };
  const order = Math.sign(drawn.seq_q - drawn.seq_kv);
  return order === Math.sign(seq_q - seq_kv) ? drawn : null;
}

/** Rows and keys up to the next multiple; one stays one, and in the order that they are in. */
function toMultiples({ seq_q, seq_kv }: Extents, of: number): Pick<Extents, 'seq_q' | 'seq_kv'> {
  const up = (n: number): number => (n <= 1 ? n : Math.ceil(n / of) * of);
  const [rows, keys] = [up(seq_q), up(seq_kv)];
  if (seq_q < seq_kv && rows >= keys && seq_kv > 1) return { seq_q: rows, seq_kv: rows + of };
  if (seq_q > seq_kv && rows <= keys && seq_q > 1) return { seq_q: keys + of, seq_kv: keys };
  return { seq_q: rows, seq_kv: keys };
}

/** Keys are wider than values in most cases, and stay so. */
const widths = (spec: SuiteSpec, below: Below): Partial<Extents> => ({
  ...(spec.head_dim === undefined ? { head_dim: 7 + below(4) } : {}),
  ...(spec.head_dim_v === undefined ? { head_dim_v: 4 + below(3) } : {}),
});

/** The largest shard takes what there is more, or less. */
function resized(shards: readonly number[], total: number): number[] {
  const by = total - shards.reduce((sum, size) => sum + size, 0);
  const largest = shards.indexOf(Math.max(...shards));
  return shards.map((size, n) => (n === largest ? size + by : size));
}

/** A broadcast shape of the old extents as one of the new: an axis of 1 stays so. */
function reshaped(shape: number[], from: Extents, to: Extents): number[] {
  const axes = ['batch', 'heads', 'seq_q', 'seq_kv'] as const;
  const skip = axes.length - shape.length;
  return shape.map((size, n) => {
    const axis = axes[n + skip];
    return axis !== undefined && size === from[axis] && size !== 1 ? to[axis] : size;
  });
}

const sized = (partition: Partition, { seq_q, seq_kv }: Extents): Partition => ({
  ...partition,
  q: resized(partition.q, seq_q),
  kv: resized(partition.kv, seq_kv),
});

/** Numbers of a generator of their own. */
function drawing(seed: number): Below {
  const generator = xoroshiro128plus(seed);
  return (n) => Math.floor(uniformFloat64(generator) * n);
}

/** A spec with extents drawn from `seed`; rows and keys as multiples of a number, where they are free. */
export function varied(spec: SuiteSpec, seed: number, multiple = 1): SuiteSpec {
  const from: Extents = { ...PLAIN_EXTENTS, ...spec };
  const ranks = spec.partition === undefined ? (spec.ranks ?? 1) : 1;
  // Each from numbers of its own: cases of one sequence that differ in one extent are alike in the others.
  const drawn: Readonly<Record<Extent, Partial<Extents>>> = {
    batch: { batch: near(from.batch, 1, drawing(seed)) },
    heads: heads(spec, drawing(seed + 1)),
    sizes: sizes(spec, ranks, drawing(seed + 2)) ?? {},
    widths: widths(spec, drawing(seed + 3)),
  };
  const kept = new Set(spec.keeps ?? []);
  if (spec.lengths !== undefined) kept.add('batch');
  const free = EVERYTHING.filter((name) => !kept.has(name));
  const to: Extents = Object.assign({ ...from }, ...free.map((name) => drawn[name]));
  if (!kept.has('sizes')) Object.assign(to, toMultiples(to, multiple));
  const { batch, heads: all, kv_heads, seq_q, seq_kv, head_dim, head_dim_v } = to;
  const { bias, mask, lengths, partition } = spec;
  return {
    ...{ ...spec, batch, heads: all, kv_heads, seq_q, seq_kv, head_dim, head_dim_v },
    ...(bias === undefined ? {} : { bias: reshaped(bias, from, to) }),
    ...(mask === undefined ? {} : { mask: reshaped(mask, from, to) }),
    ...(lengths === undefined
      ? {}
      : { lengths: lengths.map((n) => (n === from.seq_kv ? seq_kv : Math.min(n, seq_kv))) }),
    ...(partition === undefined ? {} : { partition: sized(partition, to) }),
  };
}
