/**
 * Labels for sizes alone, as numbers: kind, blocks and heads, without contributions.
 *
 * How large a buffer or a message is does not depend on what was merged into it. A thousand ranks have
 * millions of labels at once, so each is a number here: of its kind, its list of blocks and its range
 * of heads, every one of which is kept once. What becomes of a label is what labels.ts makes of it, and
 * is remembered by the one of the three that it depends on.
 * @module
 */
import {
  checkMergeable,
  emptyLike,
  expandedLabel,
  forHeads,
  joined,
  type LabelRules,
  loadedQuery,
  paddedLabel,
  placeOfBlocks,
  reducedLabel,
  withBlocks,
} from './labels.ts';
import { type Direction, type HeadRange, KINDS } from './schedule.ts';
import { blockOf } from './schedules/parts.ts';
import { type ElementSizes, type Extents, type Label, labelBytes, ownLabel } from './wire.ts';

const SENT: readonly Label['sends'][] = [undefined, 'O', 'O, dLSE'];
/** Bits of a label, of 31, for its kind with what goes along. */
const KIND_BITS = 4;
const BITS = 31;

/** A label: from the lowest bits on its kind, its list of blocks, and its range of heads. */
export type Sized = number;

/** What a label of so many blocks holds: of every head, and for all heads together. */
interface Bytes {
  readonly perHead: number;
  readonly once: number;
}

/** Lists of blocks by number: those of one block by the block's, others as they come. */
class BlockLists {
  /** Bits of a number: many more lists than any schedule of ours makes, one or two for a group of ranks. */
  readonly bits: number;
  readonly #lists: (readonly number[])[];
  readonly #byHash = new Map<number, number[]>();

  constructor(ranks: number) {
    this.#lists = Array.from({ length: ranks }, (_, block) => blockOf(block));
    this.bits = Math.ceil(Math.log2(64 + 2 * ranks));
  }

  at(list: number): readonly number[] {
    return this.#lists[list] ?? [];
  }

  numberOf(blocks: readonly number[]): number {
    const [block] = blocks;
    if (block !== undefined && blocks.length === 1) return block;
    let hash = blocks.length;
    for (const one of blocks) hash = (Math.imul(hash, 31) + one) | 0;
    const alike = this.#byHash.get(hash) ?? [];
    const known = alike.find((list) => {
      const all = this.at(list);
      return all.length === blocks.length && all.every((one, n) => one === blocks[n]);
    });
    if (known !== undefined) return known;
    const list = this.#lists.push(blocks) - 1;
    checkBits('lists of blocks', list, this.bits);
    this.#byHash.set(hash, [...alike, list]);
    return list;
  }
}

/** Throws where a number has too many bits. */
function checkBits(what: string, number: number, bits: number): void {
  if (number < 2 ** bits) return;
  throw new RangeError(`"schedule" expected at most ${2 ** bits} ${what}, got more`);
}

/** Ranges of heads by number. */
class HeadRanges {
  readonly #ranges: HeadRange[] = [];
  readonly #numbers = new Map<number, number>();
  readonly #most: number;
  readonly #bits: number;

  constructor({ heads }: Extents, bits: number) {
    [this.#most, this.#bits] = [heads + 1, bits];
  }

  at(range: number): HeadRange {
    return this.#ranges[range] ?? { from: 0, to: 0, of: 0 };
  }

  numberOf({ from, to, of }: HeadRange): number {
    const key = (of * this.#most + from) * this.#most + to;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const range = this.#ranges.push({ from, to, of }) - 1;
    checkBits('ranges of heads', range, this.#bits);
    this.#numbers.set(key, range);
    return range;
  }
}

/** The rules for one pass, and how large what they label is. */
export class SizedLabels implements LabelRules<Sized> {
  readonly #extents: Extents;
  readonly #direction: Direction;
  readonly #sizes: ElementSizes;
  readonly #lists: BlockLists;
  readonly #ranges: HeadRanges;
  readonly #rangeShift: number;
  /** Of each kind, what nothing yet of it is. */
  readonly #empty: (number | undefined)[] = [];
  /** Of each range of heads, which another becomes for query heads `from` to before `to`. */
  readonly #forHeads: Map<number, number>[] = [];
  /** Of each range of heads, all heads of as many. */
  readonly #padded: (number | undefined)[] = [];
  /** Of each kind, by list of blocks. */
  readonly #bytes: Bytes[][] = Array.from({ length: 1 << KIND_BITS }, () => []);

  constructor(extents: Extents, direction: Direction, sizes: ElementSizes) {
    [this.#extents, this.#direction, this.#sizes] = [extents, direction, sizes];
    this.#lists = new BlockLists(extents.partition.ranks);
    this.#rangeShift = KIND_BITS + this.#lists.bits;
    this.#ranges = new HeadRanges(extents, BITS - this.#rangeShift);
  }

  #code(what: number, list: number, range: number): Sized {
    return what | (list << KIND_BITS) | (range << this.#rangeShift);
  }

  #what(label: Sized): number {
    return label & ((1 << KIND_BITS) - 1);
  }

  /** The number of its list of blocks. */
  listOf(label: Sized): number {
    return (label & ((1 << this.#rangeShift) - 1)) >> KIND_BITS;
  }

  #range(label: Sized): number {
    return label >> this.#rangeShift;
  }

  /** The number of a label as labels.ts has it, and back. */
  #numberOf({ kind, sends, blocks, heads }: Label): Sized {
    const what = KINDS.indexOf(kind) * SENT.length + SENT.indexOf(sends);
    return this.#code(what, this.#lists.numberOf(blocks), this.#ranges.numberOf(heads));
  }

  labelOf(label: Sized): Label {
    const what = this.#what(label);
    const kind = KINDS[Math.floor(what / SENT.length)] ?? 'query';
    const [blocks, heads] = [this.blocksOf(label), this.headsOf(label)];
    const plain = { kind, direction: this.#direction, blocks, heads, merged: [] };
    const sends = SENT[what % SENT.length];
    return sends === undefined ? plain : { ...plain, sends };
  }

  blocksOf(label: Sized): readonly number[] {
    return this.#lists.at(this.listOf(label));
  }

  headsOf(label: Sized): HeadRange {
    return this.#ranges.at(this.#range(label));
  }

  bytesOf(label: Sized): number {
    const known = this.#bytes[this.#what(label)]?.[this.listOf(label)] ?? this.#measure(label);
    const { from, to } = this.headsOf(label);
    return known.once + (to - from) * known.perHead;
  }

  #measure(label: Sized): Bytes {
    const like = this.labelOf(label);
    const of = (to: number): number =>
      labelBytes(this.#extents, { ...like, heads: { from: 0, to, of: to } }, this.#sizes);
    const once = of(0);
    const bytes = { once, perHead: of(1) - once };
    const ofKind = this.#bytes[this.#what(label)];
    if (ofKind !== undefined) ofKind[this.listOf(label)] = bytes;
    return bytes;
  }

  own(...of: Parameters<typeof ownLabel>): Sized {
    return this.#numberOf(ownLabel(...of));
  }

  loaded(own: Sized, sends: Label['sends']): Sized {
    return this.#numberOf(loadedQuery(this.labelOf(own), sends));
  }

  emptyLike(label: Sized): Sized {
    const what = this.#what(label);
    let empty = this.#empty[what];
    if (empty === undefined) {
      empty = this.#what(this.#numberOf(emptyLike(this.labelOf(label))));
      this.#empty[what] = empty;
    }
    return label - what + empty;
  }

  resultOf(query: Sized): Sized {
    return this.emptyLike(query);
  }

  gradientsOf(_: Sized, keys: Sized): Sized {
    return this.emptyLike(keys);
  }

  merged(whole: Sized, piece: Sized): Sized {
    const same =
      this.#what(whole) === this.#what(piece) && this.listOf(whole) === this.listOf(piece);
    if (!same || this.headsOf(whole).of !== this.headsOf(piece).of) {
      checkMergeable(this.labelOf(whole), this.labelOf(piece));
    }
    return whole;
  }

  joined(labels: readonly Sized[]): Sized {
    const [first] = labels;
    const of = (label: Sized): number => label - (this.listOf(label) << KIND_BITS);
    if (first === undefined || labels.some((label) => of(label) !== of(first))) {
      return this.#numberOf(joined(labels.map((label) => this.labelOf(label))));
    }
    const blocks: number[] = [];
    for (const label of labels) for (const block of this.blocksOf(label)) blocks.push(block);
    return of(first) + (this.#lists.numberOf(blocks) << KIND_BITS);
  }

  withBlocks(label: Sized, blocks: readonly number[]): Sized {
    const [block] = blocks;
    if (block === undefined || blocks.length > 1) {
      return this.#numberOf(withBlocks(this.labelOf(label), blocks));
    }
    if (this.blocksOf(label)[block] !== block) placeOfBlocks(this.labelOf(label), blocks);
    return label + ((block - this.listOf(label)) << KIND_BITS);
  }

  forHeads(e: Extents, label: Sized, from: number, to: number): Sized {
    const range = this.#range(label);
    let known = this.#forHeads[range];
    if (known === undefined) {
      known = new Map();
      this.#forHeads[range] = known;
    }
    const key = from * (e.heads + 1) + to;
    let heads = known.get(key);
    if (heads === undefined) {
      heads = this.#ranges.numberOf(forHeads(e, this.labelOf(label), from, to).heads);
      known.set(key, heads);
    }
    return this.#code(this.#what(label), this.listOf(label), heads);
  }

  padded(label: Sized): Sized {
    const range = this.#range(label);
    let heads = this.#padded[range];
    if (heads === undefined) {
      heads = this.#ranges.numberOf(paddedLabel(this.labelOf(label)).heads);
      this.#padded[range] = heads;
    }
    return this.#code(this.#what(label), this.listOf(label), heads);
  }

  expanded(e: Extents, label: Sized): Sized {
    return this.#numberOf(expandedLabel(e, this.labelOf(label)));
  }

  reduced(e: Extents, label: Sized): Sized {
    return this.#numberOf(reducedLabel(e, this.labelOf(label)));
  }
}
