/**
 * Attention of the queries in one buffer over the keys in another, forward and backward.
 *
 * A device computes a block of `heads` query heads over `kvHeads` KV heads in equal groups. Heads of
 * a rank that are dealt out unequally over KV heads (two of the heads of one group, one of the next)
 * are computed one KV head after another.
 * @module
 */

import type { Context } from './context.ts';
import type { Block, Data } from './device/device.ts';
import { gradientsOf, headsFor, resultOf } from './labels.ts';
import { type PairPlace, pairsOf, placesOf } from './pairs.ts';
import type { HeadRange } from './schedule.ts';
import { type Held, partOf } from './store.ts';
import { joinHeads, takeHeads } from './tiles.ts';
import type { Label, PartName } from './wire.ts';

/** What a block pair gives: a partial result, and backward its share of dK and dV. */
export interface Computed {
  readonly result: Held;
  readonly gradients: Held | null;
}

/**
 * Query heads cut so that each range reads its KV heads in equal groups: one range where that is so.
 */
export function equalGroups({ from, to, of: heads }: HeadRange, kvHeads: number): HeadRange[] {
  const { from: first, to: last } = headsFor(from, to, heads, kvHeads);
  const [count, groups] = [to - from, last - first];
  // Three heads over two KV heads, two and one, are no equal groups, though ⌊2n/3⌋ is their map too.
  const isEqual =
    count === 0 ||
    (count % groups === 0 &&
      Array.from({ length: count }, (_, n) => n).every(
        (n) =>
          Math.floor(((from + n) * kvHeads) / heads) - first === Math.floor((n * groups) / count),
      ));
  if (isEqual) return [{ from, to, of: heads }];
  const group = heads / kvHeads;
  return Array.from({ length: groups }, (_, n) => ({
    from: Math.max(from, (first + n) * group),
    to: Math.min(to, (first + n + 1) * group),
    of: heads,
  }));
}

const held = (label: Label, parts: Partial<Record<PartName, Data>>): Held => ({
  label,
  parts: new Map(Object.entries(parts) as [PartName, Data][]),
});

async function placeOf({ shard, device }: Context, query: Held, keys: Held) {
  const { q, kv } = shard.parameters.partition;
  const { from, to } = query.label.heads;
  const place: PairPlace = {
    head: from,
    heads: to - from,
    rows: placesOf(q, query.label.blocks),
    keys: placesOf(kv, keys.label.blocks),
  };
  const mediaText = await device.read(partOf(query, 'mediaText'));
  return { place, pairs: pairsOf(device, shard, place, mediaText) };
}

/** dLSE − Σ dO∘O of each row: as it came, or made of O where that came in its place. */
async function deltaOf({ device, shard }: Context, query: Held): Promise<Data> {
  const { sends } = query.label;
  if (sends === undefined) return partOf(query, 'delta');
  const [dOut, lse] = [partOf(query, 'dOut'), partOf(query, 'lse')];
  const dLse = sends === 'O' ? device.write(device.make(lse.length)) : partOf(query, 'dLse');
  return device.delta(dOut, partOf(query, 'out'), dLse, shard.parameters.head_dim_v);
}

/** Queries over keys that they read in equal groups. */
async function computeGroup(context: Context, query: Held, keys: Held): Promise<Computed> {
  const { shard, device, direction, biasSums } = context;
  const { parameters: p } = shard;
  const { place, pairs } = await placeOf(context, query, keys);
  const block: Block = {
    batch: p.batch,
    heads: place.heads,
    kvHeads: keys.label.heads.to - keys.label.heads.from,
    rows: place.rows.length,
    keys: place.keys.length,
    headDim: p.head_dim,
    headDimV: p.head_dim_v,
    scale: p.scale,
    softcap: p.softcap,
    q: partOf(query, 'q'),
    k: partOf(keys, 'k'),
    v: partOf(keys, 'v'),
    ...pairs,
  };
  // Kernels take the heads of a group for a whole number.
  if (block.heads % Math.max(1, block.kvHeads) !== 0) {
    throw new RangeError(
      `a block expected equal groups of heads, got ${block.heads} over ${block.kvHeads} KV heads`,
    );
  }
  const label = resultOf(query.label, keys.label);
  if (direction === 'forward') {
    const { out, lse } = await device.forward(block);
    return { result: held(label, { out, lse }), gradients: null };
  }
  const cotangents = {
    dOut: partOf(query, 'dOut'),
    lse: partOf(query, 'lse'),
    delta: await deltaOf(context, query),
  };
  const { dQ, dK, dV, dS } = await device.backward(block, cotangents);
  const ofKeys = gradientsOf(query.label, keys.label);
  if (biasSums !== null && dS !== null) {
    await biasSums.add(dS, place);
    context.biasMerged = [...context.biasMerged, ...ofKeys.merged];
  }
  return { result: held(label, { dQ }), gradients: held(ofKeys, { dK, dV }) };
}

/** Queries over keys. Throws where the keys lack a head that the queries read. */
export async function compute(context: Context, query: Held, keys: Held): Promise<Computed[]> {
  const { shard, device } = context;
  const { parameters: e } = shard;
  const { of } = keys.label.heads;
  const done: Computed[] = [];
  for (const range of equalGroups(query.label.heads, of)) {
    const needed = headsFor(range.from, range.to, e.heads, of);
    const some = await takeHeads(device, e, query, range);
    done.push(await computeGroup(context, some, await takeHeads(device, e, keys, needed)));
  }
  return done;
}

/** The partial result of all groups. */
export function wholeResult({ shard, device }: Context, done: readonly Computed[]): Promise<Held> {
  return joinHeads(
    device,
    shard.parameters,
    done.map(({ result }) => result),
  );
}
