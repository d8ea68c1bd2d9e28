/**
 * What a buffer or a message consists of, and how large it is: named parts, one behind another.
 *
 * Run, simulation and cost ask here and nowhere else. Every part is [batch, heads, length, width],
 * row-major, `length` over the blocks in the order of the label; media positions have no heads.
 * @module
 */
import type { CaseParameters } from '../reference/case/case.ts';
import type { Direction, HeadRange, Kind, Sends } from './schedule.ts';

export const PART_NAMES = [
  ...(['q', 'mediaText', 'dOut', 'lse', 'delta'] as const),
  ...(['out', 'dLse', 'dQ', 'k', 'v', 'dK', 'dV'] as const),
  /** These do not travel. */
  ...(['dSink', 'dY', 'dWK', 'dWV'] as const),
] as const;
export type PartName = (typeof PART_NAMES)[number];
type Travelling = Exclude<PartName, 'dSink' | 'dY' | 'dWK' | 'dWV'>;

/** Query heads `from` to before `to` of a block, whose share is in a result or in gradients. */
export interface Contribution {
  readonly block: number;
  readonly from: number;
  readonly to: number;
}

/** Which numbers these are. */
export interface Label {
  readonly kind: Kind;
  readonly direction: Direction;
  /** Query blocks of a query or a result, key blocks of keys or gradients, by home rank, in order. */
  readonly blocks: readonly number[];
  readonly heads: HeadRange;
  /**
   * Whose contributions are in the numbers, in the order in which they came: key blocks in a result,
   * query blocks in gradients; for which query heads.
   */
  readonly merged: readonly Contribution[];
  /** Of queries backward: O in place of D. */
  readonly sends?: Exclude<Sends, 'D'> | undefined;
}

/** What sizes depend on. */
export type Extents = Pick<
  CaseParameters,
  'batch' | 'heads' | 'kv_heads' | 'head_dim' | 'head_dim_v' | 'media' | 'partition'
>;

/** Elements of a part as [outer, heads, length, width]; the product is their number. */
export interface PartShape {
  readonly name: PartName;
  readonly outer: number;
  readonly heads: number;
  readonly length: number;
  readonly width: number;
}

type Width = (e: Extents) => number;
const perHead: Width = ({ head_dim }) => head_dim;
const perHeadV: Width = ({ head_dim_v }) => head_dim_v;
const one: Width = () => 1;

const WIDTHS: Readonly<Record<Travelling, Width>> = {
  q: perHead,
  mediaText: ({ media }) => (media === null ? 0 : 1),
  dOut: perHeadV,
  lse: one,
  delta: one,
  dLse: one,
  out: perHeadV,
  dQ: perHead,
  k: perHead,
  v: perHeadV,
  dK: perHead,
  dV: perHeadV,
};

/** The parts of each kind, in the order in which they lie and travel. */
const PARTS: Readonly<Record<Kind, Readonly<Record<Direction, readonly Travelling[]>>>> = {
  query: { forward: ['q', 'mediaText'], backward: ['q', 'mediaText', 'dOut', 'lse'] },
  result: { forward: ['out', 'lse'], backward: ['dQ'] },
  keys: { forward: ['k', 'v'], backward: ['k', 'v'] },
  gradients: { forward: ['dK', 'dV'], backward: ['dK', 'dV'] },
};

/** What comes after the other parts of queries backward. */
const SENT: Readonly<Record<Sends, readonly Travelling[]>> = {
  D: ['delta'],
  O: ['out'],
  'O, dLSE': ['out', 'dLse'],
};

/** Rows or keys in blocks of a sequence. */
export function lengthOf(sizes: readonly number[], blocks: readonly number[]): number {
  return blocks.reduce((sum, block) => sum + (sizes[block] ?? 0), 0);
}

/** First index of a block in its sequence. */
export function startOf(sizes: readonly number[], block: number): number {
  return sizes.slice(0, block).reduce((sum, size) => sum + size, 0);
}

/** Is this bound to rows of queries, or to keys? */
export const isBoundToRows = (kind: Kind): boolean => kind === 'query' || kind === 'result';

/** Query heads of queries and results, KV heads of keys and gradients. */
export const allHeads = (e: Extents, kind: Kind): HeadRange => {
  const of = isBoundToRows(kind) ? e.heads : e.kv_heads;
  return { from: 0, to: of, of };
};

/** Nothing yet of a rank's own block, all heads. */
export const ownLabel = (
  kind: Kind,
  direction: Direction,
  { rank, parameters }: { readonly rank: number; readonly parameters: Extents },
): Label => ({ kind, direction, blocks: [rank], heads: allHeads(parameters, kind), merged: [] });

/** The parts that a label stands for. */
export function partsOf(
  e: Extents,
  label: Pick<Label, 'kind' | 'direction' | 'blocks' | 'heads' | 'sends'>,
): PartShape[] {
  const { kind, direction, blocks, heads, sends = 'D' } = label;
  const length = lengthOf(isBoundToRows(kind) ? e.partition.q : e.partition.kv, blocks);
  const more = kind === 'query' && direction === 'backward' ? SENT[sends] : [];
  return [...PARTS[kind][direction], ...more].map((name) => ({
    name,
    outer: e.batch,
    heads: name === 'mediaText' ? 1 : heads.to - heads.from,
    length,
    width: WIDTHS[name](e),
  }));
}

export const elementsOf = ({ outer, heads, length, width }: PartShape): number =>
  outer * heads * length * width;

/** Elements of a whole message or buffer. */
export function elementCount(e: Extents, label: Parameters<typeof partsOf>[1]): number {
  return partsOf(e, label).reduce((sum, part) => sum + elementsOf(part), 0);
}

/** Bytes of an element, and of a number per row and head (LSE, D). */
export interface ElementSizes {
  readonly element_bytes: number;
  readonly scalar_bytes: number;
}

const SCALARS: ReadonlySet<PartName> = new Set<PartName>(['lse', 'delta', 'dLse']);

/** Bytes of a whole message or buffer. */
export function labelBytes(
  e: Extents,
  label: Parameters<typeof partsOf>[1],
  { element_bytes, scalar_bytes }: ElementSizes,
): number {
  return partsOf(e, label).reduce(
    (sum, part) => sum + elementsOf(part) * (SCALARS.has(part.name) ? scalar_bytes : element_bytes),
    0,
  );
}

/** A label for people: "query of block 2, heads 0 to 4 of 8". */
export const showLabel = ({ kind, blocks, heads }: Label): string =>
  `${kind} of block${blocks.length === 1 ? '' : 's'} ${blocks.join(', ') || 'none'}, ` +
  `heads ${heads.from} to ${heads.to} of ${heads.of}`;
