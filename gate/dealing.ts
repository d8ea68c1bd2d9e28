/**
 * Dealing: a case over a number of ranks that the candidate runs on. Pure: the same case and seed give
 * the same partition. The answer does not depend on it, what rounding may do to one does, so whoever
 * judges the answer judges it by the case as it was dealt.
 * @module
 */
import type { Dealt } from '../gpu/dealt.ts';
import type { AttentionCase, Partition } from '../reference/case/case.ts';
import { type Below, drawing } from '../reference/case/draw-case.ts';
import { evenSizes } from '../reference/case/partition.ts';
import { entry } from '../reference/numbers/nth.ts';
import type { Hello, Started } from './candidate.ts';
import { type Direction, directed } from './select.ts';
import { rankCountFor, seedOf } from './suite/spec.ts';

/** What partitions a candidate can run. */
export interface World {
  /** Numbers of ranks. */
  readonly ranks: readonly number[];
  /** Blocks may differ in size, and be empty. */
  readonly uneven: boolean;
  readonly seed: number;
  /** A case of one rank goes to several, too. Otherwise what was dealt once stays as it is. */
  readonly spreads: boolean;
}

/** Null: it takes every partition as it comes, or has not said. */
export function worldOf(
  started: Started,
  { seed = 0, spreads = false }: { readonly seed?: number; readonly spreads?: boolean } = {},
): World | null {
  if (!started.ok || started.hello.ranks === undefined) return null;
  const { ranks, supports } = started.hello;
  return { ranks, uneven: supports.has('uneven'), seed, spreads };
}

/** Rows and keys come out even over at most so many ranks: of more, there would be too many of them. */
const EVEN_MAX = 64;

/** Numbers of ranks over which cases are to come out even, for a candidate that needs that; else undefined. */
export function evenOver({
  ranks,
  supports,
}: Pick<Hello, 'ranks' | 'supports'>): readonly number[] | undefined {
  if (supports.has('uneven')) return undefined;
  const few = ranks?.filter((count) => count <= EVEN_MAX) ?? [];
  return few.length === 0 ? undefined : few;
}

const isEven = (sizes: readonly number[]): boolean => sizes.every((size) => size === sizes[0]);

const isRunnable = ({ ranks, uneven }: World, { partition }: AttentionCase['parameters']) =>
  ranks.includes(partition.ranks) && (uneven || (isEven(partition.q) && isEven(partition.kv)));

/** The places between blocks, without both ends. */
function cutsOf(sizes: readonly number[]): number[] {
  let end = 0;
  return sizes.slice(0, -1).map((size) => {
    end += size;
    return end;
  });
}

/**
 * Blocks whose ends are those of `own` as far as there is use for them, for what a case shows may lie
 * there, and drawn beyond; equal ones leave an empty block between them.
 */
function cut(total: number, own: readonly number[], ranks: number, below: Below): number[] {
  const cuts = cutsOf(own);
  while (cuts.length > ranks - 1) cuts.splice(below(cuts.length), 1);
  while (cuts.length < ranks - 1) cuts.push(below(total + 1));
  const ends = [...cuts.sort((a, b) => a - b), total];
  return ends.map((end, n) => end - (n === 0 ? 0 : entry(ends, n - 1)));
}

/** The world size for a case: its own, or else, where blocks must be even, one over which they are. */
function sizeFor(world: World, { parameters }: AttentionCase, name: string): number {
  const { partition, seq_q, seq_kv } = parameters;
  const fitting = world.uneven
    ? world.ranks
    : world.ranks.filter((ranks) => seq_q % ranks === 0 && seq_kv % ranks === 0);
  if (partition.ranks > 1 && fitting.includes(partition.ranks)) return partition.ranks;
  return rankCountFor(fitting.length > 0 ? fitting : world.ranks, name, world.seed);
}

function dealtAnew(attentionCase: AttentionCase, world: World): AttentionCase {
  const { parameters } = attentionCase;
  const { id, seq_q, seq_kv, partition } = parameters;
  const name = JSON.stringify([id, seq_q, seq_kv, partition]);
  const ranks = sizeFor(world, attentionCase, name);
  const { uniform } = drawing(seedOf(name, world.seed));
  const below: Below = (n) => Math.floor(uniform() * n);
  // A third as evenly as it goes, which is how most programs deal.
  const evenly = !world.uneven || below(3) === 0;
  const blocks = (total: number, own: readonly number[]): number[] =>
    evenly ? evenSizes(total, ranks) : cut(total, own, ranks, below);
  const dealt: Partition = {
    ranks,
    q: blocks(seq_q, partition.q),
    kv: blocks(seq_kv, partition.kv),
  };
  return { ...attentionCase, parameters: { ...parameters, partition: dealt } };
}

/**
 * The case as it is where the candidate can run it, otherwise dealt anew. Where no even blocks come of it
 * and the candidate needs those, it is dealt as evenly as it goes: it then needs the word `uneven`.
 */
export function dealtOver(attentionCase: AttentionCase, world: World | null): AttentionCase {
  // A step that is asked by itself is done in one place.
  if (world === null || attentionCase.parameters.op !== undefined) return attentionCase;
  const { ranks } = attentionCase.parameters.partition;
  const spreads = world.spreads && ranks === 1 && world.ranks.some((more) => more > 1);
  const stays = !spreads && isRunnable(world, attentionCase.parameters);
  return stays ? attentionCase : dealtAnew(attentionCase, world);
}

/** A case as a run puts it, and how it came to its ranks; null where it has nothing of the direction. */
export function posed(
  built: AttentionCase,
  { direction, world = null }: { readonly direction: Direction; readonly world?: World | null },
): { readonly question: AttentionCase; readonly dealt: Dealt | null } | null {
  const whole = directed(built, direction);
  if (whole === null) return null;
  const question = dealtOver(whole, world);
  if (world === null || question.parameters.op !== undefined) return { question, dealt: null };
  const ran = question.parameters.partition.ranks;
  const ranks = { given: built.parameters.partition.ranks, ran };
  return { question, dealt: question === whole ? ranks : { ...ranks, anew: true } };
}
