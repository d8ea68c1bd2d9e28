/**
 * Labelled numbers cut and put together along blocks and heads. Moves numbers, changes none.
 * @module
 */
import type { Awaitable, Data, Device } from './device/device.ts';
import { joined, joinedHeads, placeOfBlocks, withBlocks, withHeads } from './labels.ts';
import type { HeadRange } from './schedule.ts';
import { type Held, partOf } from './store.ts';
import {
  type Extents,
  isBoundToRows,
  type Label,
  lengthOf,
  type PartName,
  type PartShape,
  partsOf,
} from './wire.ts';

/** Every part of `held`, put through `change` with its shape. */
async function eachPart(
  e: Extents,
  held: Held,
  change: (data: Data, shape: PartShape) => Awaitable<Data>,
): Promise<Map<PartName, Data>> {
  const changed = new Map<PartName, Data>();
  for (const shape of partsOf(e, held.label)) {
    changed.set(shape.name, await change(partOf(held, shape.name), shape));
  }
  return changed;
}

const sizesOf = (e: Extents, { kind }: Label): readonly number[] =>
  isBoundToRows(kind) ? e.partition.q : e.partition.kv;

/** Some of the blocks, which must lie behind one another in what is held. */
export async function takeBlocks(
  device: Device,
  e: Extents,
  held: Held,
  blocks: readonly number[],
): Promise<Held> {
  const label = withBlocks(held.label, blocks);
  const sizes = sizesOf(e, label);
  const from = lengthOf(sizes, held.label.blocks.slice(0, placeOfBlocks(held.label, blocks)));
  const to = from + lengthOf(sizes, blocks);
  const parts = await eachPart(e, held, (data, { outer, heads, length, width }) =>
    device.slice(data, { outer: outer * heads, extent: length, inner: width }, from, to),
  );
  return { label, parts };
}

/** Some of the heads, by their own numbers. */
export async function takeHeads(
  device: Device,
  e: Extents,
  held: Held,
  range: HeadRange,
): Promise<Held> {
  const label = withHeads(e, held.label, range);
  const own = held.label.heads;
  const [from, to] = [range.from - own.from, range.to - own.from];
  if (from === 0 && range.to === own.to) return held;
  const parts = await eachPart(e, held, (data, { name, outer, heads, length, width }) =>
    name === 'mediaText'
      ? data
      : device.slice(data, { outer, extent: heads, inner: length * width }, from, to),
  );
  return { label, parts };
}

/** Arrays of a part behind one another, each seen as [outer, extent, inner] by `axes`. */
async function concatParts(
  device: Device,
  e: Extents,
  pieces: readonly Held[],
  axes: (shape: PartShape) => { outer: number; extent: number; inner: number },
): Promise<Map<PartName, Data>> {
  const parts = new Map<PartName, Data>();
  const shapes = pieces.map((piece) => partsOf(e, piece.label));
  for (const [n, { name }] of (shapes[0] ?? []).entries()) {
    const places = shapes.map((shape) => shape[n]).filter((shape) => shape !== undefined);
    const data = pieces.map((piece) => partOf(piece, name));
    parts.set(name, await device.concat(data, places.map(axes)));
  }
  return parts;
}

/** Blocks behind one another: the same kind and heads in each. */
export async function joinBlocks(
  device: Device,
  e: Extents,
  pieces: readonly Held[],
): Promise<Held> {
  const label = joined(pieces.map((piece) => piece.label));
  const parts = await concatParts(device, e, pieces, ({ outer, heads, length, width }) => ({
    outer: outer * heads,
    extent: length,
    inner: width,
  }));
  return { label, parts };
}

/** Heads of results, keys or gradients behind one another: the same kind and blocks in each. */
export async function joinHeads(
  device: Device,
  e: Extents,
  pieces: readonly Held[],
): Promise<Held> {
  const [only, ...others] = pieces;
  if (only !== undefined && others.length === 0) return only;
  const label = joinedHeads(pieces.map((piece) => piece.label));
  const parts = await concatParts(device, e, pieces, ({ outer, heads, length, width }) => ({
    outer,
    extent: heads,
    inner: length * width,
  }));
  return { label, parts };
}

/** `whole` with the heads of `piece` replaced by the piece's numbers. */
export async function putHeads(
  device: Device,
  e: Extents,
  whole: Held,
  piece: Held,
): Promise<Held> {
  const [own, { from, to, of }] = [whole.label.heads, piece.label.heads];
  if (from === own.from && to === own.to) return piece;
  const before = await takeHeads(device, e, whole, { from: own.from, to: from, of });
  const after = await takeHeads(device, e, whole, { from: to, to: own.to, of });
  return joinHeads(device, e, [before, piece, after]);
}
