/**
 * What becomes of labels: the bookkeeping of every operation, without any numbers.
 *
 * A rank uses it beside the numbers; message sizes, simulation and costs use it alone, so that what
 * is counted is what is run.
 * @module
 */
import type { BufferName, Direction, HeadRange, Kind, Operation, Schedule } from './schedule.ts';
import {
  allHeads,
  type Contribution,
  type Extents,
  isBoundToRows,
  type Label,
  ownLabel,
  showLabel,
} from './wire.ts';

/** The heads of `of` that query heads from `from` to before `to`, of `heads`, read. */
export function headsFor(from: number, to: number, heads: number, of: number): HeadRange {
  if (from === to) return { from: 0, to: 0, of };
  return { from: Math.floor((from * of) / heads), to: Math.floor(((to - 1) * of) / heads) + 1, of };
}

/** The query heads that read a range of heads. */
function queryHeadsOf({ from, to, of }: HeadRange, heads: number): HeadRange {
  const group = heads / of;
  return { from: from * group, to: to * group, of: heads };
}

/** What of each contribution lies in a range of query heads. */
const within = (merged: readonly Contribution[], { from, to }: HeadRange): Contribution[] =>
  merged
    .map((one) => ({ ...one, from: Math.max(from, one.from), to: Math.min(to, one.to) }))
    .filter((one) => one.from < one.to);

const contributions = (blocks: readonly number[], { from, to }: HeadRange): Contribution[] =>
  blocks.map((block) => ({ block, from, to }));

/** Most often all blocks are there, in the order of their numbers. */
const placeOfBlock = (all: readonly number[], block: number): number =>
  all[block] === block ? block : all.indexOf(block);

/** Where blocks lie behind one another among those of a label: the first one's place. */
export function placeOfBlocks(label: Label, blocks: readonly number[]): number {
  const [only] = blocks;
  const first =
    only !== undefined && blocks.length === 1
      ? placeOfBlock(label.blocks, only)
      : label.blocks.findIndex((_, n) => blocks.every((block, m) => label.blocks[n + m] === block));
  if (first < 0) {
    throw new RangeError(`blocks ${blocks.join(', ')} expected in ${showLabel(label)}`);
  }
  return first;
}

/** Some of the blocks, which must lie behind one another in what is held. */
export function withBlocks(label: Label, blocks: readonly number[]): Label {
  placeOfBlocks(label, blocks);
  return { ...label, blocks };
}

/** Throws unless the heads are among those of a label. */
export function checkHeads(label: Label, { from, to, of }: HeadRange): void {
  const own = label.heads;
  if (own.of !== of || from < own.from || to > own.to) {
    throw new RangeError(`heads ${from} to ${to} of ${of} expected in ${showLabel(label)}`);
  }
}

/** Some of the heads, by their own numbers. */
export function withHeads(e: Extents, label: Label, { from, to, of }: HeadRange): Label {
  checkHeads(label, { from, to, of });
  const merged = within(label.merged, queryHeadsOf({ from, to, of }, e.heads));
  return { ...label, heads: { from, to, of }, merged };
}

const sameHeads = (a: HeadRange, b: HeadRange): boolean =>
  a.from === b.from && a.to === b.to && a.of === b.of;

/** Blocks behind one another. What was merged into each is left behind: joins come before sums. */
export function joined(labels: readonly Label[]): Label {
  const [first, ...others] = labels;
  if (first === undefined) throw new RangeError('a join expected at least one buffer');
  const other = others.find(
    ({ kind, heads }) => kind !== first.kind || !sameHeads(heads, first.heads),
  );
  if (other !== undefined) {
    throw new RangeError(`${showLabel(other)} cannot be put behind ${showLabel(first)}`);
  }
  const blocks: number[] = [];
  for (const label of labels) for (const block of label.blocks) blocks.push(block);
  return { ...first, blocks };
}

/**
 * Contributions, those of one block whose heads lie behind one another as one: in how many groups
 * heads were computed is nobody's business.
 */
function coalesced(merged: readonly Contribution[]): Contribution[] {
  const all: Contribution[] = [];
  for (const one of merged) {
    const n = all.findIndex(({ block, to }) => block === one.block && to === one.from);
    const before = all[n];
    if (before === undefined) all.push(one);
    else all[n] = { ...before, to: one.to };
  }
  return all;
}

/** Heads behind one another. */
export function joinedHeads(labels: readonly Label[]): Label {
  const [first, last] = [labels[0], labels.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('no heads to join');
  const heads = { ...first.heads, to: last.heads.to };
  return { ...first, heads, merged: coalesced(labels.flatMap(({ merged }) => merged)) };
}

const sameBlocks = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((block, n) => block === b[n]));

/** Throws unless a piece can be put into a whole: of the same blocks. */
export function checkMergeable(whole: Label, piece: Label): void {
  const same = sameBlocks(whole.blocks, piece.blocks) && whole.kind === piece.kind;
  if (!same || whole.direction !== piece.direction || whole.heads.of !== piece.heads.of) {
    throw new Error(`${showLabel(piece)} cannot be merged into ${showLabel(whole)}`);
  }
}

/** A piece put into a whole of the same blocks. */
export function mergedLabel(whole: Label, piece: Label): Label {
  checkMergeable(whole, piece);
  return { ...whole, merged: coalesced([...whole.merged, ...piece.merged]) };
}

/** What only queries say of themselves, left out. */
const withoutSends = ({ sends: _, ...label }: Label): Label => label;

/** A partial result of queries over keys, and their share of dK and dV. */
export const resultOf = (query: Label, keys: Label): Label => ({
  ...withoutSends(query),
  kind: 'result',
  merged: contributions(keys.blocks, query.heads),
});
export const gradientsOf = (query: Label, keys: Label): Label => ({
  ...keys,
  kind: 'gradients',
  direction: query.direction,
  merged: contributions(query.blocks, query.heads),
});

/** Nothing yet, for queries or for keys. */
export const emptyLike = (label: Label): Label => ({
  ...withoutSends(label),
  kind: isBoundToRows(label.kind) ? 'result' : 'gradients',
  merged: [],
});

/** Among all heads. */
export const paddedLabel = (label: Label): Label => ({
  ...label,
  heads: { from: 0, to: label.heads.of, of: label.heads.of },
});

/** For every query head its own. */
export const expandedLabel = (e: Extents, label: Label): Label => ({
  ...label,
  heads: { from: 0, to: e.heads, of: e.heads },
});
export const reducedLabel = (e: Extents, label: Label): Label => ({
  ...label,
  heads: allHeads(e, 'keys'),
});

/** A rank's own queries, with what they are to take along backward. */
export const loadedQuery = (own: Label, sends: Label['sends']): Label =>
  sends === undefined || own.direction === 'forward' ? own : { ...own, sends };

/** Is this of the rank's own block, all heads? */
export function isOwn(e: Extents, rank: number, { kind, blocks, heads }: Label): boolean {
  const [block, ...others] = blocks;
  return block === rank && others.length === 0 && sameHeads(heads, allHeads(e, kind));
}

/** What one rank's buffers are labelled; `L` is what stands for a label. */
export interface Labels<L = Label> {
  get(name: BufferName): L | undefined;
  set(name: BufferName, label: L): unknown;
  delete(name: BufferName): unknown;
}

function labelIn<L>(labels: Labels<L>, name: BufferName): L {
  const label = labels.get(name);
  if (label === undefined) throw new Error(`buffer "${name}" holds nothing`);
  return label;
}

/** What operations make of labels. */
export interface LabelRules<L> {
  readonly own: (kind: Kind, direction: Direction, place: Parameters<typeof ownLabel>[2]) => L;
  readonly loaded: (own: L, sends: Label['sends']) => L;
  readonly emptyLike: (label: L) => L;
  readonly resultOf: (query: L, keys: L) => L;
  readonly gradientsOf: (query: L, keys: L) => L;
  readonly merged: (whole: L, piece: L) => L;
  readonly joined: (labels: readonly L[]) => L;
  readonly withBlocks: (label: L, blocks: readonly number[]) => L;
  /** What query heads from `from` to before `to` need. */
  readonly forHeads: (e: Extents, label: L, from: number, to: number) => L;
  readonly padded: (label: L) => L;
  readonly expanded: (e: Extents, label: L) => L;
  readonly reduced: (e: Extents, label: L) => L;
}

/** What query heads from `from` to before `to` need of a label. */
export const forHeads = (e: Extents, label: Label, from: number, to: number): Label =>
  withHeads(e, label, headsFor(from, to, e.heads, label.heads.of));

/** Whole labels, with whose contributions are in the numbers. */
export const WHOLE_LABELS: LabelRules<Label> = {
  ...{ own: ownLabel, loaded: loadedQuery },
  ...{ emptyLike, resultOf, gradientsOf, merged: mergedLabel, joined, withBlocks, forHeads },
  ...{ padded: paddedLabel, expanded: expandedLabel, reduced: reducedLabel },
};

/** What a computation writes: a partial result, and backward the sums that it adds to. */
function relabelComputed<L>(
  direction: Direction,
  { query, keys, into, sums }: Extract<Operation, { readonly op: 'computeBlock' }>,
  labels: Labels<L>,
  rules: LabelRules<L>,
): void {
  const [rows, columns] = [labelIn(labels, query), labelIn(labels, keys)];
  labels.set(into, rules.resultOf(rows, columns));
  if (sums === null || direction === 'forward') return;
  labels.set(sums, rules.merged(labelIn(labels, sums), rules.gradientsOf(rows, columns)));
}

/** Does to labels what an operation that is no message does to buffers. */
export function relabel<L>(
  e: Extents,
  { rank, direction }: { readonly rank: number; readonly direction: Direction },
  operation: Exclude<Operation, { readonly op: 'send' | 'receive' }>,
  labels: Labels<L>,
  rules: LabelRules<L>,
): void {
  switch (operation.op) {
    case 'loadQuery':
      labels.set(
        operation.into,
        rules.loaded(rules.own('query', direction, { rank, parameters: e }), operation.sends),
      );
      break;
    case 'loadKeys':
    case 'recomputeKV':
      labels.set(operation.into, rules.own('keys', direction, { rank, parameters: e }));
      break;
    case 'initResult':
    case 'initGradients':
      labels.set(operation.into, rules.emptyLike(labelIn(labels, operation.like)));
      break;
    case 'computeBlock':
      relabelComputed(direction, operation, labels, rules);
      break;
    case 'merge':
      labels.set(
        operation.into,
        rules.merged(labelIn(labels, operation.into), labelIn(labels, operation.buffer)),
      );
      break;
    case 'join':
      labels.set(
        operation.into,
        rules.joined(operation.buffers.map((name) => labelIn(labels, name))),
      );
      break;
    case 'takeBlocks':
      labels.set(
        operation.into,
        rules.withBlocks(labelIn(labels, operation.buffer), operation.blocks),
      );
      break;
    case 'takeHeads':
      labels.set(
        operation.into,
        rules.forHeads(e, labelIn(labels, operation.buffer), operation.from, operation.to),
      );
      break;
    case 'padHeads':
      labels.set(operation.into, rules.padded(labelIn(labels, operation.buffer)));
      break;
    case 'expandHeads':
      labels.set(operation.into, rules.expanded(e, labelIn(labels, operation.buffer)));
      break;
    case 'reduceHeads':
      labels.set(operation.into, rules.reduced(e, labelIn(labels, operation.buffer)));
      break;
    case 'release':
      labels.delete(operation.buffer);
      break;
    case 'finish':
    case 'projectGradients':
      break;
  }
}

/** A message of a schedule: who sends what to whom, in which step of the sender. */
export interface PlannedMessage {
  readonly from: number;
  readonly to: number;
  readonly lane: Kind;
  readonly step: number;
  readonly label: Label;
}

/** What is called for every operation of a walk: with what was sent. */
export type Visit = (rank: number, step: number, operation: Operation, sent: Label | null) => void;

/** Labels of messages on their way, each channel's in the order in which they were sent. */
class OnTheWay {
  readonly #ranks: number;
  /** Of each kind, by sender and receiver: most often one; several as a list. */
  readonly #wires = new Map<Kind, (Label | Label[] | undefined)[]>();

  constructor(ranks: number) {
    this.#ranks = ranks;
  }

  #lane(lane: Kind): (Label | Label[] | undefined)[] {
    const { length } = this.#wires.get(lane) ?? [];
    if (length === 0) this.#wires.set(lane, new Array(this.#ranks * this.#ranks));
    return this.#wires.get(lane) ?? [];
  }

  put(from: number, to: number, lane: Kind, label: Label): void {
    const [wires, at] = [this.#lane(lane), from * this.#ranks + to];
    const before = wires[at];
    if (before === undefined) wires[at] = label;
    else if (Array.isArray(before)) before.push(label);
    else wires[at] = [before, label];
  }

  take(from: number, to: number, lane: Kind): Label | undefined {
    const [wires, at] = [this.#lane(lane), from * this.#ranks + to];
    const there = wires[at];
    if (Array.isArray(there)) return there.shift();
    wires[at] = undefined;
    return there;
  }
}

/**
 * Goes through the lists of all ranks without numbers, each as far as its messages have come. Throws
 * where ranks wait for one another for ever.
 */
export function walk(e: Extents, { direction, ranks }: Schedule, visit: Visit): void {
  const wires = new OnTheWay(ranks.length);
  const states = ranks.map(() => ({ step: 0, labels: new Map<BufferName, Label>() }));
  /** As far as a rank's messages have come: whether it has come any further. */
  const advance = (rank: number, list: readonly Operation[]): boolean => {
    const state = states[rank];
    if (state === undefined) return false;
    const { labels, step: first } = state;
    const place = { rank, direction };
    let step = first;
    for (; step < list.length; step++) {
      const o = list[step];
      if (o === undefined) break;
      let sent: Label | null = null;
      if (o.op === 'send') {
        sent = labelIn(labels, o.buffer);
        wires.put(rank, o.to, o.lane, sent);
      } else if (o.op === 'receive') {
        const label = wires.take(o.from, rank, o.lane);
        if (label === undefined) break;
        labels.set(o.buffer, label);
      } else {
        relabel(e, place, o, labels, WHOLE_LABELS);
      }
      visit(rank, step, o, sent);
    }
    state.step = step;
    return step > first;
  };
  let moved = true;
  while (moved) {
    moved = false;
    for (const [rank, list] of ranks.entries()) if (advance(rank, list)) moved = true;
  }
  const stuck = states.findIndex(({ step }, rank) => step < (ranks[rank]?.length ?? 0));
  if (stuck >= 0) throw new Error(`rank ${stuck} waits for a message that nobody sends`);
}

/** All messages of a schedule, by sender and in the order in which it sends them. */
export function messagesOf(e: Extents, schedule: Schedule): PlannedMessage[] {
  const messages: PlannedMessage[] = [];
  walk(e, schedule, (rank, step, operation, label) => {
    if (operation.op !== 'send' || label === null) return;
    messages.push({ from: rank, to: operation.to, lane: operation.lane, step, label });
  });
  return messages.sort((a, b) => a.from - b.from || a.step - b.step);
}
