/**
 * The most bytes that a rank's buffers hold in a pass, over any layout, in closed form: what is there
 * where a schedule holds most. A real run and the clock hold as much, to the byte
 * (bytes.property.test.ts).
 *
 * What is cut, joined or gathered is there twice for a moment, as it was and as it becomes; pieces
 * that were sent home, and what was received last, stay until the pass ends.
 * @module
 */
import { headsFor } from '../labels.ts';
import type { Direction, Kind } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import type { ScheduleName } from '../schedules/index.ts';
import { type ElementSizes, type Extents, isBoundToRows } from '../wire.ts';
import type { LayoutOptions } from './layout-bytes.ts';
import { type Messages, messagesOf, stagesOf } from './stages.ts';
import { extentsOf, type Options, type Workload } from './workload.ts';

/** Some blocks behind one another, or one. */
type Blocks = readonly [first: number, count: number] | number;

/** A rank among the others, and how large what it holds is. */
interface Rank {
  readonly rank: number;
  readonly ranks: number;
  /** Ranks that deal heads out among themselves, this one among them. */
  readonly group: number;
  /** Bytes of blocks: of all heads, or of those that are dealt to a member. */
  readonly of: (what: Kind, blocks: Blocks, member?: number) => number;
  /** Rounds of so many in which other blocks are there than in any before. */
  readonly rounds: (n: number) => Iterable<number>;
  readonly backward: boolean;
  /** Of keys and gradients as they were given, where they are expanded. */
  readonly given: Rank['of'] | null;
}

/** dK and dV, which are there backward alone. */
const sums = ({ backward, of }: Rank, blocks: Blocks, member?: number): number =>
  backward ? of('gradients', blocks, member) : 0;

/** Own keys and queries of all heads, and where all shares of them are added up. */
const ownBlocks = (at: Rank): number =>
  at.of('keys', at.rank) + sums(at, at.rank) + at.of('query', at.rank) + at.of('result', at.rank);

/** Bytes of the blocks that a rank meets in a round of a ring. */
type Met = (round: number) => number;

const met =
  ({ rank, ranks, of }: Rank, what: Kind): Met =>
  (round) =>
    of(what, (rank - round + 2 * ranks) % ranks);

/**
 * Round a ring of n: of what goes ahead two are there, of what follows a step behind two, and the
 * share of it that was computed last. After the last round the own one comes home.
 */
function ringMost({ rounds }: Rank, n: number, ahead: Met, behind: Met): number {
  const goes: Met = (t) => (t < 0 || t >= n ? 0 : ahead(t));
  const follows: Met = (t) => (t < 0 ? 0 : behind(t));
  let most = n === 1 ? 0 : goes(n - 2) + goes(n - 1) + 2 * follows(n - 1) + follows(n);
  for (const t of rounds(n)) {
    const [before, slots, next] = [follows(t - 1), goes(t - 1) + goes(t), goes(t) + goes(t + 1)];
    const computed = slots + follows(t) + before + follows(t - 2);
    most = Math.max(most, computed, Math.max(slots, next) + 2 * follows(t) + before);
  }
  return most;
}

function lvXattn(at: Rank): number {
  const ring = ringMost(at, at.ranks, met(at, 'query'), met(at, 'result'));
  return at.of('keys', at.rank) + sums(at, at.rank) + ring;
}

function ringAttention(at: Rank): number {
  const { rank, ranks: n, of, given, backward } = at;
  const [keys, gradients] = [met(at, 'keys'), backward ? met(at, 'gradients') : () => 0];
  const fixed = of('query', rank) + 2 * of('result', rank);
  const ring = ringMost(at, n, keys, gradients);
  if (given === null) return fixed + ring;
  // Keys as given stay; in the end gradients are reduced beside all that is left.
  const left = keys(n - 1) + 2 * gradients(n - 1) + (n === 1 ? 0 : keys(n - 2) + gradients(n));
  const reduced = backward ? left + given('gradients', rank) : 0;
  return fixed + given('keys', rank) + Math.max(ring, reduced);
}

/** Blocks behind one another round a circle of them, from one on. */
function around(
  of: (blocks: Blocks) => number,
  [first, count]: readonly [number, number],
  from: number,
  length: number,
): number {
  const before = Math.max(0, from + length - first - count);
  return of([from, length - before]) + of([first, before]);
}

/** Queries round a ring, of which every rank keeps partial results: all so far, or three. */
function straightMost(at: Rank, partsAt: Met, comesHome: (round: number) => boolean): number {
  const { rank, ranks: n, of, rounds } = at;
  const query = met(at, 'query');
  const result = of('result', rank);
  let most = 0;
  for (const t of rounds(n)) {
    const now = query(t) + (t === 0 ? 0 : query(t - 1)) + (comesHome(t) ? result : 0);
    const next = query(t) + (t === n - 1 ? 0 : query(t + 1));
    most = Math.max(most, partsAt(t) + Math.max(now, next));
  }
  return of('keys', rank) + sums(at, rank) + result + most;
}

function passQ(at: Rank): number {
  const { rank, ranks: n, of } = at;
  const result = (blocks: Blocks) => of('result', blocks);
  const all: readonly [number, number] = [0, n];
  const parts: Met = (t) => around(result, all, (rank - t + n) % n, t + 1);
  return straightMost(at, parts, (t) => t > 0 && t === n - 1);
}

function tokenRing(at: Rank): number {
  const result = met(at, 'result');
  const part: Met = (t) => (t < 0 ? 0 : result(t));
  const parts: Met = (t) => part(t) + part(t - 1) + part(t - 2);
  // One comes home after each round but the first two, and after the last one more.
  return straightMost(at, parts, (t) => t > 1 || (t > 0 && t === at.ranks - 1));
}

/** Held at the most beside what was there before, and left in the end. */
interface Held {
  readonly most: number;
  readonly left: number;
}

/** Cuts members' blocks up and sends them home: of a member's heads, or among empty ones of all. */
function scattered(
  { rank, of, rounds }: Rank,
  what: 'result' | 'gradients',
  members: readonly [first: number, count: number],
  { member, padded = false }: { readonly member?: number; readonly padded?: boolean },
): Held {
  const cut = (blocks: Blocks) => of(what, blocks, member);
  const piece = padded ? (blocks: Blocks) => of(what, blocks) : cut;
  const [first, count] = members;
  const whole = cut(members);
  // Later a share of the own block comes, and the own piece is still there unless it is the first.
  let most = piece(members) + (rank > first ? piece(rank) : 0);
  for (const k of rounds(count)) {
    const from = first + ((rank + 1 - first) % count);
    const last = first + ((rank + 1 + k - first) % count);
    const pieces = around(piece, members, from, k + 1);
    most = Math.max(most, whole + pieces + (padded ? cut(last) : 0));
  }
  return { most, left: piece(members) - piece(rank) };
}

function allGatherKv(at: Rank): number {
  const { rank, ranks, of } = at;
  const all: readonly [number, number] = [0, ranks];
  const result = of('result', rank);
  const ours = sums(at, rank) + of('query', rank) + result;
  const gathered = Math.max(2 * of('keys', all), of('keys', all) + sums(at, all) + result);
  if (!at.backward) return ours + gathered;
  const home = result + scattered(at, 'gradients', all, {}).most;
  return ours + Math.max(gathered, home);
}

/** What a rank has and gets when heads are exchanged: pieces for the others, then all twice. */
function exchanged({ rank, group, of }: Rank, what: 'query' | 'keys'): Held {
  const [member, first] = [rank % group, rank - (rank % group)];
  let pieces = 0;
  for (let k = 0; k < group; k++) if (k !== member) pieces += of(what, rank, k);
  const all = of(what, [first, group], member);
  return { most: pieces + 2 * all, left: all };
}

/** Results home beside `beside`, then dK and dV. */
function broughtHome(at: Rank, beside: number, padded: boolean): number {
  const { rank, group } = at;
  const [member, first] = [rank % group, rank - (rank % group)];
  const members: readonly [number, number] = [first, group];
  const gradients = sums(at, members, member);
  const results = scattered(at, 'result', members, { member, padded });
  const most = gradients + results.most;
  if (!at.backward) return beside + most;
  const after = scattered(at, 'gradients', members, { member, padded });
  return beside + Math.max(most, results.left + after.most);
}

function ulysses(at: Rank): number {
  const { rank, group, of } = at;
  const [member, members] = [rank % group, [0, group] as const];
  const [query, keys] = [exchanged(at, 'query'), exchanged(at, 'keys')];
  const computed =
    query.left + keys.left + sums(at, members, member) + of('result', members, member);
  const most = Math.max(query.most, query.left + keys.most, computed, broughtHome(at, 0, false));
  return ownBlocks(at) + most;
}

function headParallel(at: Rank): number {
  const { rank, ranks, of } = at;
  const all: readonly [number, number] = [0, ranks];
  const gathered = (what: 'query' | 'keys'): Held => {
    const left = of(what, all, rank);
    return { most: of(what, all) + 2 * left, left };
  };
  const [query, keys] = [gathered('query'), gathered('keys')];
  const computed = query.left + keys.left + sums(at, all, rank) + of('result', all, rank);
  const most = Math.max(
    of('keys', rank) + query.most,
    query.left + keys.most,
    computed,
    broughtHome(at, 0, true),
  );
  return sums(at, rank) + of('result', rank) + most;
}

function usp(at: Rank): number {
  const { rank, ranks, group, of } = at;
  const [member, place, n] = [rank % group, Math.floor(rank / group), ranks / group];
  const metAt =
    (what: Kind): Met =>
    (round) =>
      of(what, [((place - round + 2 * n) % n) * group, group], member);
  const [ahead, behind] = [metAt('query'), metAt('result')];
  const [query, keys] = [exchanged(at, 'query'), exchanged(at, 'keys')];
  const gradients = sums(at, [place * group, group], member);
  const ring = keys.left + gradients + ringMost(at, n, ahead, behind);
  // Left of the ring beside the own results: queries, the last share and the other slot's results.
  const left =
    keys.left + ahead(n - 1) + behind(n - 1) + (n === 1 ? 0 : ahead(n - 2) + behind(n - 1));
  const home = broughtHome(at, left, false);
  return ownBlocks(at) + Math.max(query.most, query.left + keys.most, ring, home);
}

const MOST: Readonly<Record<ScheduleName, (at: Rank) => number>> = {
  ...{ 'lv-xattn': lvXattn, 'ring-attention': ringAttention, ulysses },
  ...{ 'head-parallel': headParallel, 'all-gather-kv': allGatherKv, 'pass-q': passQ },
  ...{ usp, 'token-ring': tokenRing },
};

/** Bytes of a row, or of a key, of so many heads. */
function rowBytes(messages: Messages): (what: Kind, heads: number) => number {
  const of = (what: Kind, to: number): number => messages.bytes(what, [0], { from: 0, to, of: to });
  const known = new Map<Kind, readonly [once: number, perHead: number]>();
  return (what, heads) => {
    const [once, perHead] = known.get(what) ?? [of(what, 0), of(what, 1) - of(what, 0)];
    known.set(what, [once, perHead]);
    return once + heads * perHead;
  };
}

/** Rows of query blocks behind one another, or keys. */
type Lengths = (rows: boolean, first: number, count: number) => number;

function sizesOf(messages: Messages, group: number, lengths: Lengths): Rank['of'] {
  const bytes = rowBytes(messages);
  return (what, blocks, member) => {
    const heads = member === undefined ? messages.all(what) : messages.of(what, member, group);
    const [first, count] = typeof blocks === 'number' ? [blocks, 1] : blocks;
    return bytes(what, heads.to - heads.from) * lengths(isBoundToRows(what), first, count);
  };
}

/** A pass of a schedule, whose blocks have these lengths. */
interface Passing {
  readonly name: ScheduleName;
  readonly direction: Direction;
  readonly extents: Extents;
  readonly sizes: ElementSizes;
  readonly options: LayoutOptions & { readonly group: number };
  readonly lengths: Lengths;
  readonly rounds: Rank['rounds'];
}

/** Rank 0. */
function firstRank({
  name,
  direction,
  extents: e,
  sizes,
  options,
  lengths,
  rounds,
}: Passing): Rank {
  const { ranks } = e.partition;
  const { group } = stagesOf(name, direction, { ranks, group: options.group });
  const row: Extents = { ...e, partition: { ranks: 1, q: [1], kv: [1] } };
  const of = (how: LayoutOptions): Rank['of'] =>
    sizesOf(messagesOf(name, direction, row, sizes, how), group, lengths);
  const expanded = name === 'ring-attention' && options.expandedHeads;
  const given = expanded ? of({ ...options, expandedHeads: false }) : null;
  const backward = direction === 'backward';
  return { rank: 0, ranks, group, of: of(options), rounds, backward, given };
}

function lengthsOf({ q, kv }: Extents['partition']): Lengths {
  const until = (blocks: readonly number[]): number[] => {
    const sums = [0];
    for (const size of blocks) sums.push((sums.at(-1) ?? 0) + size);
    return sums;
  };
  const [rows, keys] = [until(q), until(kv)];
  return (bound, first, count) => {
    const sums = bound ? rows : keys;
    return (sums[first + count] ?? 0) - (sums[first] ?? 0);
  };
}

/**
 * The most bytes that each rank's buffers hold in a pass. The schedule must be one that deals out
 * these heads to these ranks.
 */
export function heldBytes(
  name: ScheduleName,
  direction: Direction,
  extents: Extents,
  sizes: ElementSizes,
  options: LayoutOptions,
): number[] {
  const { heads, partition } = extents;
  const { ranks } = partition;
  const { group = uspGroup({ ranks, heads }) } = options;
  const all = Array.from({ length: ranks }, (_, n) => n);
  const first = firstRank({
    ...{ name, direction, extents, sizes, options: { ...options, group } },
    ...{ lengths: lengthsOf(partition), rounds: (n) => (n === ranks ? all : all.slice(0, n)) },
  });
  return all.map((rank) => MOST[name]({ ...first, rank }));
}

/** The same of equal blocks, be they fractions of a row: of the rank that holds most. */
export function heldOfEqual(
  name: ScheduleName,
  direction: Direction,
  w: Workload,
  options: Options,
): number {
  const { ranks, heads, kv_heads, seq_q, seq_kv } = w;
  const lengths: Lengths = (rows, _, count) => (count * (rows ? seq_q : seq_kv)) / ranks;
  // Where blocks are alike, nothing is more than in the last round.
  const rounds = (n: number): number[] => [n - 1];
  const group = uspGroup(w);
  const extents = extentsOf(w);
  const first = firstRank({
    ...{ name, direction, extents, sizes: w, options: { ...options, group }, lengths, rounds },
  });
  // Ranks differ by whether they are the first of those they send to, and by the KV heads they read.
  const alike = new Map<string, number>();
  for (let rank = 0; rank < Math.max(first.group, Math.min(ranks, 2)); rank++) {
    const [member, each] = [rank % first.group, heads / first.group];
    const read = headsFor(member * each, (member + 1) * each, heads, kv_heads);
    const like = `${rank === 0} ${read.to - read.from}`;
    if (!alike.has(like)) alike.set(like, rank);
  }
  return Math.max(...[...alike.values()].map((rank) => MOST[name]({ ...first, rank })));
}
