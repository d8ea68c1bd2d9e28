/**
 * What each schedule sends in a pass, stage by stage, as its closed formulas count it: for any layout
 * (layout-bytes.ts) and, of equal blocks, in time (schedules.ts). Messages are sized by wire.ts alone.
 * @module
 */
import { headsFor } from '../labels.ts';
import type { Direction, HeadRange, Kind } from '../schedule.ts';
import type { ScheduleName } from '../schedules/index.ts';
import { allHeads, type ElementSizes, type Extents, isBoundToRows, labelBytes } from '../wire.ts';
import type { BackwardSends, Options } from './workload.ts';

export type Stage =
  /** All-gather round a ring of all ranks, all heads. */
  | { readonly does: 'gather'; readonly what: 'query' | 'keys' }
  /** All-to-all in a group: the own block to each member, of the heads that are dealt to it. */
  | { readonly does: 'exchange'; readonly what: 'query' | 'keys' }
  /** Everything is computed at once. */
  | { readonly does: 'compute' }
  /**
   * Round a ring of groups, a computation at each: `ahead` on n − 1 hops beside it, `behind` a step
   * later on n hops, the last one home; `straight` home from where it was computed, a step later too.
   */
  | {
      readonly does: 'ring';
      readonly ahead: 'query' | 'keys';
      readonly behind: Kind | null;
      readonly straight: Kind | null;
    }
  /** Every member's block home to it, of the own heads, or of all where the others are padding. */
  | { readonly does: 'scatter'; readonly what: 'result' | 'gradients'; readonly padded: boolean };

export interface Stages {
  /** Ranks that deal heads out among themselves; 1 where every rank has all of them. */
  readonly group: number;
  /** Whether ranks deal heads out, be it each to itself alone; else scatters are among all ranks. */
  readonly dealt: boolean;
  readonly list: readonly Stage[];
}

const ring = (
  ahead: 'query' | 'keys',
  {
    behind = null,
    straight = null,
  }: { readonly behind?: Kind | null; straight?: Kind | null } = {},
): Stage => ({ does: 'ring', ahead, behind, straight });
const scatter = (what: 'result' | 'gradients', padded = false): Stage => ({
  ...{ does: 'scatter', what, padded },
});
const compute: Stage = { does: 'compute' };

/** Results, and backward dK and dV, to where they belong. */
const home = (direction: Direction, padded = false): Stage[] =>
  direction === 'forward'
    ? [scatter('result', padded)]
    : [scatter('result', padded), scatter('gradients', padded)];

/** Q, K and V to whoever computes. */
const both = (does: 'gather' | 'exchange'): Stage[] => [
  { does, what: 'query' },
  { does, what: 'keys' },
];

const STAGES: Readonly<Record<ScheduleName, (direction: Direction) => Stage[]>> = {
  'lv-xattn': () => [ring('query', { behind: 'result' })],
  'ring-attention': (direction) => [
    ring('keys', { behind: direction === 'forward' ? null : 'gradients' }),
  ],
  ulysses: (direction) => [...both('exchange'), compute, ...home(direction)],
  'head-parallel': (direction) => [...both('gather'), compute, ...home(direction, true)],
  'all-gather-kv': (direction) => [
    { does: 'gather', what: 'keys' },
    compute,
    ...(direction === 'forward' ? [] : [scatter('gradients')]),
  ],
  'pass-q': () => [ring('query'), scatter('result')],
  usp: (direction) => [
    ...both('exchange'),
    ring('query', { behind: 'result' }),
    ...home(direction),
  ],
  'token-ring': () => [ring('query', { straight: 'result' })],
};

/** A pass of a schedule; `group` is of USP alone: how many ranks share heads. */
export function stagesOf(
  name: ScheduleName,
  direction: Direction,
  { ranks, group }: { readonly ranks: number; readonly group: number },
): Stages {
  const groups: Partial<Record<ScheduleName, number>> = {
    ...{ ulysses: ranks, usp: group, 'head-parallel': ranks },
  };
  return { group: groups[name] ?? 1, dealt: name in groups, list: STAGES[name](direction) };
}

/** Does a schedule let queries travel round all ranks, with O or D among them? */
const TAKES_ALONG: readonly ScheduleName[] = ['lv-xattn', 'pass-q', 'token-ring'];

/** Bytes of messages, by what they hold: of these blocks, of these heads. */
export interface Messages {
  readonly bytes: (what: Kind, blocks: readonly number[], heads: HeadRange) => number;
  readonly all: (what: Kind) => HeadRange;
  /** The heads that are dealt to a member of a group. */
  readonly of: (what: Kind, member: number, group: number) => HeadRange;
}

/** What a pass sends along backward where D does not travel: with dLSE where a case has that. */
export type Cotangents = { readonly dLse: boolean };

export function messagesOf(
  name: ScheduleName,
  direction: Direction,
  e: Extents,
  sizes: ElementSizes,
  how: Pick<Options, 'expandedHeads'> & {
    readonly backwardSends: BackwardSends;
    readonly cotangents?: boolean;
  },
): Messages {
  const expands = name === 'ring-attention' && how.expandedHeads;
  const takesO = TAKES_ALONG.includes(name) && how.backwardSends === 'output';
  const sends = takesO ? (how.cotangents ? 'O, dLSE' : 'O') : undefined;
  const all = (what: Kind): HeadRange =>
    expands ? { from: 0, to: e.heads, of: e.heads } : allHeads(e, what);
  return {
    all,
    of: (what, member, group) => {
      const each = e.heads / group;
      const [from, to] = [member * each, (member + 1) * each];
      if (group === 1) return all(what);
      return isBoundToRows(what)
        ? { from, to, of: e.heads }
        : headsFor(from, to, e.heads, e.kv_heads);
    },
    bytes: (kind, blocks, heads) =>
      labelBytes(e, { kind, direction, blocks, heads, ...(sends ? { sends } : {}) }, sizes),
  };
}
