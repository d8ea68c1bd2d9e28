/**
 * A case as a schedule can run it, and how far that is from how the case was dealt out.
 * @module
 */
import type { AttentionCase } from '../reference/case/case.ts';
import { ranksForHeads, uspGroup } from './schedules/groups.ts';
import { DEALS_HEADS, type ScheduleName } from './schedules/index.ts';

/** On how many ranks a case ran. */
export interface Dealt {
  /** Ranks of the case. */
  readonly given: number;
  readonly ran: number;
  /** Of USP: ranks of a group. */
  readonly group?: number;
  /** It was dealt out anew, over ranks that a candidate has; absent = as the case says, or on fewer. */
  readonly anew?: true;
}

/** Neighbouring blocks put together to `count`, as evenly as they can be. */
function together(sizes: readonly number[], count: number): number[] {
  const first = (n: number): number => Math.floor((n * sizes.length) / count);
  return Array.from({ length: count }, (_, n) =>
    sizes.slice(first(n), first(n + 1)).reduce((sum, one) => sum + one, 0),
  );
}

/**
 * The case as a schedule can run it: where heads are dealt out and the case's ranks do not divide
 * them, neighbouring ranks are put together to the largest count that does. Another partition has the
 * same answer.
 */
export function dealtFor(name: ScheduleName, attentionCase: AttentionCase): AttentionCase {
  const { parameters } = attentionCase;
  const { ranks, q, kv } = parameters.partition;
  if (!DEALS_HEADS.includes(name) || parameters.heads % ranks === 0) return attentionCase;
  const fewer = ranksForHeads(ranks, parameters.heads);
  const partition = { ranks: fewer, q: together(q, fewer), kv: together(kv, fewer) };
  return { ...attentionCase, parameters: { ...parameters, partition } };
}

/** On how many ranks `dealt`, which is what became of `given`, runs. */
export function howDealt(name: ScheduleName, given: AttentionCase, dealt: AttentionCase): Dealt {
  const { partition, heads } = dealt.parameters;
  const ran = { given: given.parameters.partition.ranks, ran: partition.ranks };
  return name === 'usp' ? { ...ran, group: uspGroup({ ranks: partition.ranks, heads }) } : ran;
}
