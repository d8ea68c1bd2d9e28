/**
 * Which cases of a suite are asked, by name, by direction, by shard, and in which order. Pure.
 * @module
 */
import picomatch from 'picomatch';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import {
  type AttentionCase,
  isGradient,
  type OutputName,
  wantsGradients,
} from '../reference/case/case.ts';

export const DIRECTIONS = ['forward', 'backward', 'both'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Part `index` (from 1) of `count`. */
export interface Shard {
  index: number;
  count: number;
}

/**
 * Whether `id` matches `glob`, in which `*` stands for anything, `/` too; a glob without `/` is also
 * matched against the last part of the id.
 */
export function nameFilter(glob: string | undefined): (id: string) => boolean {
  if (glob === undefined) return () => true;
  const whole = picomatch(glob, { bash: true });
  if (glob.includes('/')) return (id) => whole(id);
  return (id) => whole(id) || whole(id.slice(id.lastIndexOf('/') + 1));
}

/** Every `count`-th of `items`, so that costs spread; the shards together are all, each once. */
export function shardOf<T>(items: readonly T[], shard: Shard | undefined): T[] {
  if (shard === undefined) return [...items];
  return items.filter((_, i) => i % shard.count === shard.index - 1);
}

/** The case without some of its wanted outputs; null where none is left. */
function wanting(question: AttentionCase, keep: (name: OutputName) => boolean) {
  const kept = question.parameters.wants.filter(keep);
  if (kept.length === 0) return null;
  const rest = { ...question, parameters: { ...question.parameters, wants: kept } };
  if (kept.some(isGradient)) return rest;
  const { d_out, d_lse, ...inputs } = question.inputs;
  return { ...rest, inputs };
}

/** A case as it is asked of a candidate, and the wanted outputs that it has said it does not return. */
export interface Returned {
  /** Null: it returns none of them. */
  readonly question: AttentionCase | null;
  readonly dropped: readonly OutputName[];
}

/** The case without the outputs that a candidate declines by word (protocol.ts, DECLINE_WORDS). */
export function returnedBy(supports: ReadonlySet<string>, question: AttentionCase): Returned {
  const { heads, kv_heads, wants } = question.parameters;
  const grouped = heads !== kv_heads && supports.has('no-gqa-backward');
  const declines = (name: OutputName): boolean =>
    (name === 'lse' && supports.has('no-lse')) ||
    (name === 'd_bias' && supports.has('no-d-bias')) ||
    (grouped && isGradient(name));
  const dropped = wants.filter(declines);
  if (dropped.length === 0) return { question, dropped };
  return { question: wanting(question, (name) => !declines(name)), dropped };
}

/** The case as this direction asks it, or null where it has nothing of that direction. */
export function directed(question: AttentionCase, direction: Direction): AttentionCase | null {
  if (direction === 'both') return question;
  if (direction === 'backward') return wantsGradients(question.parameters) ? question : null;
  return wanting(question, (name) => !isGradient(name));
}

/** Neighbours of one sequence together, every other case alone. */
function blocksOf<T extends { readonly sequence?: string }>(cases: readonly T[]): T[][] {
  const blocks: T[][] = [];
  for (const one of cases) {
    const last = blocks.at(-1);
    if (one.sequence !== undefined && last?.[0]?.sequence === one.sequence) last.push(one);
    else blocks.push([one]);
  }
  return blocks;
}

/** The same cases in an order drawn from `seed`; a sequence stays together and in order. */
export function inDrawnOrder<T extends { readonly sequence?: string }>(
  cases: readonly T[],
  seed: number,
): T[] {
  const generator = xoroshiro128plus(seed | 0);
  const blocks = blocksOf(cases);
  const drawn: T[][] = [];
  while (blocks.length > 0) {
    drawn.push(...blocks.splice(Math.floor(uniformFloat64(generator) * blocks.length), 1));
  }
  return drawn.flat();
}
