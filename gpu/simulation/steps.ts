/**
 * A schedule as the clock's steps: what each operation takes, sends and holds.
 *
 * Sizes are those of wire.ts and labels.ts, which a run uses too; operations are counted by flops.ts,
 * as in the formulas. Lists are made while the clock goes through them, and nothing of them is kept.
 * @module
 */
import { blockPairFlops, projectionFlops } from '../costs/flops.ts';
import { computeSeconds, type Rates } from '../costs/machine.ts';
import { type Labels, relabel } from '../labels.ts';
import {
  type BufferName,
  type Direction,
  listOf,
  type Operation,
  type Schedule,
  type ScheduleInPieces,
} from '../schedule.ts';
import { type Sized, SizedLabels } from '../sized-labels.ts';
import { nameAt } from '../span-names.ts';
import { type ElementSizes, type Extents, lengthOf } from '../wire.ts';
import { COMPUTE, END, Memory, type Programs, RECEIVE, SEND, type Step } from './program.ts';

/** Sizes of a case, and the width of the features where keys are recomputed. */
export type SimulatedCase = Extents & { readonly dim_y?: number };

/** Products of a rank's own features with a weight: to K and V, or back to dY and to dW. */
const PRODUCTS = { recomputeKV: 1, projectGradients: 2 } as const;

type Computing = Extract<Operation, { readonly op: 'computeBlock' | keyof typeof PRODUCTS }>;

function projectionsOf(c: SimulatedCase, rank: number, products: number): number {
  const { batch, partition, head_dim, head_dim_v, kv_heads, dim_y = 0 } = c;
  const rows = batch * (partition.kv[rank] ?? 0);
  return products * projectionFlops(rows, dim_y, kv_heads * (head_dim + head_dim_v));
}

/** Lengths of lists of blocks, by the lists' numbers: each is added up once. */
function lengths(sizes: readonly number[], rules: SizedLabels): (label: Sized) => number {
  const known: number[] = [];
  return (label) => {
    const list = rules.listOf(label);
    let length = known[list];
    if (length === undefined) {
      length = lengthOf(sizes, rules.blocksOf(label));
      known[list] = length;
    }
    return length;
  };
}

/**
 * Names by number. All ranks name their buffers in much the same order: looked at first are the two
 * that this rank named last, and what was named after each of them before.
 */
class Names {
  readonly #numbers = new Map<BufferName, number>();
  readonly #names: BufferName[] = [];
  /** Of each name, the one after it, and the next but one; both the last time. */
  readonly #next: number[] = [];
  readonly #other: number[] = [];
  readonly #second: number[] = [];
  /** Of each rank, the two that it named last. */
  readonly #lasts: Int32Array;
  #rank = 0;
  #last = 0;
  #before = 0;

  constructor(ranks: number) {
    this.#lasts = new Int32Array(2 * ranks);
  }

  turnTo(rank: number): void {
    const lasts = this.#lasts;
    lasts[2 * this.#rank] = this.#last;
    lasts[2 * this.#rank + 1] = this.#before;
    this.#last = lasts[2 * rank] ?? 0;
    this.#before = lasts[2 * rank + 1] ?? 0;
    this.#rank = rank;
  }

  numberOf(name: BufferName): number {
    const [names, last, before] = [this.#names, this.#last, this.#before];
    if (names[last] === name) return last;
    const next = this.#next[last] ?? 0;
    let found = next;
    if (names[found] !== name) found = this.#second[before] ?? 0;
    if (names[found] !== name) found = this.#other[last] ?? 0;
    if (names[found] !== name) found = before;
    if (names[found] !== name) found = this.#numbers.get(name) ?? this.#add(name);
    if (found !== next) {
      this.#other[last] = next;
      this.#next[last] = found;
    }
    this.#second[before] = found;
    this.#before = last;
    this.#last = found;
    return found;
  }

  #add(name: BufferName): number {
    const number = this.#names.push(name) - 1;
    this.#numbers.set(name, number);
    this.#next.push(0);
    this.#other.push(0);
    this.#second.push(0);
    return number;
  }
}

/** Labels of every rank's buffers, one rank's at a time, and how much they hold. */
class AllLabels implements Labels<Sized> {
  readonly #names: Names;
  /** Of each rank, by a buffer's name: its label and 1 more, 0 where it holds nothing. */
  readonly #labels: Int32Array[];
  readonly #rules: SizedLabels;
  readonly #memory: Memory;
  #rank = 0;
  #own: Int32Array = new Int32Array(0);

  constructor(ranks: number, rules: SizedLabels, memory: Memory) {
    [this.#names, this.#rules, this.#memory] = [new Names(ranks), rules, memory];
    this.#labels = Array.from({ length: ranks }, () => this.#own);
  }

  /** From here on it is this rank's. */
  turnTo(rank: number): void {
    if (rank === this.#rank) return;
    this.#rank = rank;
    this.#own = this.#labels[rank] ?? this.#own;
    this.#names.turnTo(rank);
  }

  get(name: BufferName): Sized | undefined {
    const label = this.#own[this.#names.numberOf(name)] ?? 0;
    return label === 0 ? undefined : label - 1;
  }

  set(name: BufferName, label: Sized): void {
    this.#put(this.#names.numberOf(name), label + 1);
  }

  delete(name: BufferName): void {
    this.#put(this.#names.numberOf(name), 0);
  }

  #put(name: number, label: number): void {
    if (name >= this.#own.length) {
      const longer = new Int32Array(Math.max(16, 2 * name));
      longer.set(this.#own);
      this.#labels[this.#rank] = longer;
      this.#own = longer;
    }
    const before = this.#own[name] ?? 0;
    if (before === label) return;
    this.#own[name] = label;
    const of = (one: number): number => (one === 0 ? 0 : this.#rules.bytesOf(one - 1));
    const more = of(label) - of(before);
    if (more !== 0) this.#memory.hold(this.#rank, more);
  }
}

/** Where a rank is in its list. */
class Place {
  readonly #pieces: Iterator<readonly Operation[]>;
  #piece: readonly Operation[] = [];
  #at = 0;
  /** Number of the operation that was taken last, in the whole list. */
  source = -1;
  last: Operation | undefined;
  readonly rank: number;
  readonly direction: Direction;

  constructor(rank: number, { direction, piecesOf }: ScheduleInPieces) {
    this.rank = rank;
    this.direction = direction;
    this.#pieces = piecesOf(rank)[Symbol.iterator]();
  }

  next(): Operation | undefined {
    while (this.#at === this.#piece.length) {
      const { done, value } = this.#pieces.next();
      if (done) return undefined;
      this.#piece = value;
      this.#at = 0;
    }
    this.last = this.#piece[this.#at++];
    this.source++;
    return this.last;
  }
}

class ScheduleSteps implements Programs {
  readonly ranks: number;
  readonly lanes: string[] = [];
  readonly memory: Memory;
  readonly step: Step = { source: 0, amount: 0, peer: 0, lane: 0, cargo: 0 };
  readonly #case: SimulatedCase;
  readonly #schedule: ScheduleInPieces;
  readonly #rates: Rates;
  readonly #rules: SizedLabels;
  readonly #labels: AllLabels;
  readonly #places: readonly Place[];
  readonly #rowsOf: (query: Sized) => number;
  readonly #keysOf: (keys: Sized) => number;
  /** Whole lists of ranks whose operations were named. */
  readonly #lists = new Map<number, readonly Operation[]>();

  constructor(c: SimulatedCase, schedule: ScheduleInPieces, rates: Rates, sizes: ElementSizes) {
    [this.#case, this.#schedule, this.#rates] = [c, schedule, rates];
    const { direction, layout } = schedule;
    this.ranks = layout.ranks;
    this.memory = new Memory(layout.ranks);
    this.#rules = new SizedLabels(c, direction, sizes);
    this.#labels = new AllLabels(layout.ranks, this.#rules, this.memory);
    this.#places = Array.from({ length: layout.ranks }, (_, rank) => new Place(rank, schedule));
    this.#rowsOf = lengths(c.partition.q, this.#rules);
    this.#keysOf = lengths(c.partition.kv, this.#rules);
  }

  nameOf = (rank: number, source: number): string => {
    const list = this.#lists.get(rank) ?? listOf(this.#schedule, rank);
    this.#lists.set(rank, list);
    return nameAt(list, rank, source);
  };

  next(rank: number): number {
    const place = this.#places[rank];
    if (place === undefined) return END;
    this.#labels.turnTo(rank);
    for (let o = place.next(); o !== undefined; o = place.next()) {
      if (o.op === 'send' || o.op === 'receive') {
        this.step.source = place.source;
        return o.op === 'send' ? this.#send(o) : this.#receive(o);
      }
      relabel(this.#case, place, o, this.#labels, this.#rules);
      if (o.op !== 'computeBlock' && o.op !== 'recomputeKV' && o.op !== 'projectGradients')
        continue;
      this.step.source = place.source;
      this.step.amount = this.#secondsOf(rank, o);
      if (this.step.amount > 0) return COMPUTE;
    }
    return END;
  }

  arrived(rank: number, cargo: number): void {
    const o = this.#places[rank]?.last;
    if (o?.op !== 'receive') return;
    this.#labels.turnTo(rank);
    this.#labels.set(o.buffer, cargo);
  }

  #send({ lane, to, buffer }: Extract<Operation, { readonly op: 'send' }>): number {
    const label = this.#labels.get(buffer);
    if (label === undefined) throw new Error(`buffer "${buffer}" holds nothing`);
    const { step } = this;
    step.peer = to;
    step.lane = this.#lane(lane);
    step.amount = this.#rules.bytesOf(label);
    step.cargo = label;
    return SEND;
  }

  #receive({ lane, from }: Extract<Operation, { readonly op: 'receive' }>): number {
    this.step.peer = from;
    this.step.lane = this.#lane(lane);
    return RECEIVE;
  }

  #lane(name: string): number {
    const known = this.lanes.indexOf(name);
    return known < 0 ? this.lanes.push(name) - 1 : known;
  }

  #secondsOf(rank: number, o: Computing): number {
    const [attention, projections] =
      o.op === 'computeBlock'
        ? [this.#attention(o.query, o.keys), 0]
        : [0, projectionsOf(this.#case, rank, PRODUCTS[o.op])];
    return computeSeconds(this.#rates, { attention, projections });
  }

  #attention(query: BufferName, keys: BufferName): number {
    const [rows, columns] = [this.#labels.get(query), this.#labels.get(keys)];
    if (rows === undefined || columns === undefined) return 0;
    const { batch, head_dim, head_dim_v } = this.#case;
    const range = this.#rules.headsOf(rows);
    const pair = {
      rows: batch * this.#rowsOf(rows),
      keys: this.#keysOf(columns),
      heads: range.to - range.from,
      head_dim,
      head_dim_v,
    };
    return blockPairFlops(pair, this.#schedule.direction);
  }
}

/** Every rank's steps in a pass. */
export function stepsOf(
  c: SimulatedCase,
  schedule: Schedule | ScheduleInPieces,
  rates: Rates,
  sizes: ElementSizes,
): Programs {
  if ('piecesOf' in schedule) return new ScheduleSteps(c, schedule, rates, sizes);
  const { ranks, ...made } = schedule;
  const inPieces = { ...made, piecesOf: (rank: number) => [ranks[rank] ?? []] };
  return new ScheduleSteps(c, inPieces, rates, sizes);
}
