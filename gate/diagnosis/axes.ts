/**
 * The axes of outputs, and which of their places are wrong: heads, rows, keys, ranks, tiles.
 * @module
 */
import type { CaseParameters, OutputName } from '../../reference/case/case.ts';
import { isOff } from './agreement.ts';
import type { KeptAnswer, KeptOutput } from './kept-answers.ts';

export interface Axis {
  /** As in `only one batch`. */
  readonly noun: string;
  /** Along it ranks hold blocks of these sizes. */
  readonly blocks?: readonly number[];
}

/** `heads`, `batches`. */
export const many = (noun: string): string => (noun === 'batch' ? 'batches' : `${noun}s`);

const BATCH: Axis = { noun: 'batch' };
const HEAD: Axis = { noun: 'head' };
const COMPONENT: Axis = { noun: 'component' };

/** What each axis of an output is. */
export function axesOf(name: OutputName, { partition }: CaseParameters): Axis[] {
  const rows: Axis = { noun: 'row', blocks: partition.q };
  const keys: Axis = { noun: 'key', blocks: partition.kv };
  switch (name) {
    case 'lse':
      return [BATCH, HEAD, rows];
    case 'out':
    case 'd_q':
      return [BATCH, HEAD, rows, COMPONENT];
    case 'd_k':
    case 'd_v':
      return [BATCH, { noun: 'KV head' }, keys, COMPONENT];
    case 'd_bias':
      return [BATCH, HEAD, rows, keys];
    case 'd_sink':
      return [HEAD];
    case 'd_y':
      return [BATCH, keys, { noun: 'feature' }];
    default:
      return [{ noun: 'feature' }, { noun: 'column' }];
  }
}

/** Flat places of the elements that the judge refuses. */
export function offPlaces(output: KeptOutput): number[] {
  const places: number[] = [];
  output.got.forEach((value, n) => {
    if (isOff(output, n, value)) places.push(n);
  });
  return places;
}

/** The index along an axis of a flat place. */
export function indexAlong(shape: readonly number[], axis: number, place: number): number {
  const inner = shape.slice(axis + 1).reduce((product, extent) => product * extent, 1);
  return Math.floor(place / inner) % (shape[axis] ?? 1);
}

const TILES = [128, 64, 32, 16, 8, 4] as const;

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, n) => value === b[n]);

function blockStarts(blocks: readonly number[]): { start: number; size: number }[] {
  let start = 0;
  return blocks.map((size) => {
    const block = { start, size };
    start += size;
    return block;
  });
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);

/** Wrong places of an axis as blocks of ranks have them. */
function amongRanks(places: readonly number[], { noun, blocks = [] }: Axis): string[] {
  if (blocks.length < 2) return [];
  const all = blockStarts(blocks);
  const rank = all.findIndex(({ start, size }) => same(places, range(start, start + size)));
  const last = blocks.length - 1;
  const said: string[] = [];
  if (rank >= 0) said.push(`only ${many(noun)} of rank ${rank}`);
  if (rank === last) said.push(`only ${many(noun)} of the last rank`);
  if (same(places, range(all[1]?.start ?? 0, endOf(all)))) {
    said.push(`all ${many(noun)} but those of rank 0`);
  }
  const filled = all.filter(({ size }) => size > 0);
  const firsts = filled.map(({ start }) => start);
  if (same(places, firsts)) said.push(`only the first ${noun} of each shard`);
  const lasts = filled.map(({ start, size }) => start + size - 1);
  if (same(places, lasts)) said.push(`only the last ${noun} of each shard`);
  return said;
}

const endOf = (all: readonly { start: number; size: number }[]): number => {
  const last = all.at(-1);
  return last === undefined ? 0 : last.start + last.size;
};

/** Wrong places that are the tails after whole tiles. */
function amongTiles(places: readonly number[], extent: number, { noun, blocks }: Axis): string[] {
  const tails = (sizes: readonly number[], tile: number): number[] =>
    blockStarts(sizes).flatMap(({ start, size }) =>
      size > tile ? range(start + size - (size % tile), start + size) : [],
    );
  const whole = TILES.find((tile) => same(places, tails([extent], tile)));
  if (whole !== undefined) return [`only ${many(noun)} after the last whole tile of ${whole}`];
  const shards = blocks ?? [];
  const own =
    shards.length < 2 ? undefined : TILES.find((tile) => same(places, tails(shards, tile)));
  return own === undefined
    ? []
    : [`only ${many(noun)} after the last whole tile of ${own} in a shard`];
}

/** How the wrong places of one axis read, the most telling first; nothing where all are wrong. */
export function describePlaces(places: readonly number[], extent: number, axis: Axis): string[] {
  const { noun } = axis;
  if (places.length === 0 || places.length === extent) return [];
  const [first = 0, last = 0] = [places[0], places.at(-1)];
  const runs = last - first + 1 === places.length;
  const said = [...amongTiles(places, extent, axis), ...amongRanks(places, axis)];
  if (places.length === 1 && last === extent - 1) said.push(`only the last ${noun}`);
  if (places.length === 1) said.push(`only ${noun} ${first}`);
  if (runs && last === extent - 1 && first > 0) said.push(`only ${many(noun)} from ${first} on`);
  if (runs && first === 0) said.push(`only ${many(noun)} up to ${last}`);
  if (places.length > 1 && places.every((n) => n % 2 === 1)) said.push(`only odd ${many(noun)}`);
  if (places.length > 1 && places.every((n) => n % 2 === 0)) said.push(`only even ${many(noun)}`);
  return said.length > 0 ? said : [`only some ${many(noun)}`];
}

/** Where an output is wrong, axis by axis. */
export function whereWrong(
  { question }: KeptAnswer,
  output: KeptOutput,
  off: readonly number[],
): string[] {
  return axesOf(output.name, question.parameters).flatMap((axis, n) => {
    const extent = output.shape[n] ?? 1;
    const places = [...new Set(off.map((place) => indexAlong(output.shape, n, place)))];
    places.sort((a, b) => a - b);
    return extent < 2 ? [] : describePlaces(places, extent, axis);
  });
}
