/**
 * Honest merges of partial results: every way to write one down that spec/bounds.md allows, Lemma Parts.
 *
 * Two at a time along any tree, or all at once; weighed by exp(LSE_p − LSE), by quotients of exponentials, kept
 * as (m, l, o) and divided at the end, or subtracted by a sigmoid where the profile grants that; in base e or in
 * base 2 and back, at every merge.
 * @module
 */
import fc from 'fast-check';
import type { Profile, ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import { type ProfileLike, profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { forEachIndex, zeros } from '../../reference/numbers/tensor.ts';
import {
  type MergeOptions,
  type MergeRecipe,
  mergeRecipeArbitrary,
} from '../arbitraries/merge-case.ts';
import { fold } from '../arbitraries/merge-tree.ts';
import { ASKED } from './candidate.ts';
import { choicesArbitrary, type HonestChoices } from './choices.ts';
import { type Machine, machine } from './machine.ts';
import { joinAll, joinTwo, type Partial } from './merges.ts';

export interface MergeChoices extends HonestChoices {
  /** All parts in one merge, or two at a time. */
  readonly atOnce: boolean;
  /** Weights: exp(LSE_p − LSE), or exp(LSE_p − m) over their sum; or none until the last division. */
  readonly weighing: 'lse' | 'quotient' | 'running';
  /** Parts without keys: left out, or weighed by exp(−∞) = 0. */
  readonly empties: 'left-out' | 'weighed';
}

const NEVER = Number.NEGATIVE_INFINITY;

/** Whatever m the exponentials are taken about: the largest LSE, or behind it as the profile allows. */
const maximumOf = (m: Machine, parts: readonly Partial[]): number =>
  parts.reduce((most, part) => Math.max(most, part.m), NEVER) - Math.floor(m.headroom);

/** Weights that are divided by their sum, before they meet O. */
function byQuotients(m: Machine, choices: MergeChoices, parts: readonly Partial[]): Partial {
  const most = maximumOf(m, parts);
  const narrow = choices.atOnce ? m.narrow : (x: number): number => x;
  const summed = choices.atOnce ? m.summed : (x: number): number => x;
  const weights = parts.map((part) => summed(m.weight(part.m, most)));
  const l = m.sum(weights);
  const shares = weights.map((weight) => narrow(m.round(weight / l)));
  const [first] = parts;
  return {
    m: m.logSum(most, l),
    l: 1,
    o: (first?.o ?? []).map((_, c) =>
      m.dot(parts.map(({ o }, n) => [shares[n] ?? 0, o[c] ?? 0] as const)),
    ),
  };
}

/** Sums of exponentials, divided once. */
function byRunning(m: Machine, choices: MergeChoices, parts: readonly Partial[]): Partial {
  const join = (a: Partial, b: Partial): Partial =>
    joinTwo(
      {
        machine: m,
        choices: { ...choices, normalised: false, merge: 'weights', splits: 1, partials: 'kept' },
      },
      a,
      b,
    ) ?? a;
  const [first, ...rest] = parts;
  if (first === undefined) throw new Error('a merge of no parts');
  const {
    m: most,
    l,
    o,
  } = choices.atOnce ? rest.reduce(join, first) : fold(choices.tree, parts, join, first);
  return { m: m.logSum(most, l), l: 1, o: o.map((x) => m.round(x / l)) };
}

function mergedRow(m: Machine, choices: MergeChoices, given: readonly Partial[]): Partial | null {
  const present = given.filter((part) => part.m !== NEVER);
  const subtracts = choices.merge !== 'weights';
  const all = choices.empties === 'left-out' || subtracts ? present : given;
  if (present.length === 0) return null;
  if (present.length === 1 && all === present) return present[0] ?? null;
  if (choices.weighing === 'running' && !subtracts) return byRunning(m, choices, all);
  const store = (part: Partial, depth: number): Partial =>
    choices.partials === 'stored' && depth === 1 ? { ...part, o: part.o.map(m.output) } : part;
  const two = (a: Partial, b: Partial): Partial => {
    if (a.m === NEVER) return b;
    if (b.m === NEVER) return a;
    if (choices.weighing === 'quotient' && !subtracts) return byQuotients(m, choices, [a, b]);
    return joinTwo({ machine: m, choices: { ...choices, normalised: true } }, a, b) ?? a;
  };
  if (choices.atOnce && !subtracts) {
    return choices.weighing === 'quotient'
      ? byQuotients(m, choices, all)
      : joinAll({ machine: m, choices }, all);
  }
  interface Leaf {
    readonly part: Partial;
    readonly depth: number;
  }
  const leaves = all.map((part): Leaf => ({ part, depth: 0 }));
  const [first] = leaves;
  if (first === undefined) return null;
  const joinLeaves = (a: Leaf, b: Leaf): Leaf => {
    const depth = Math.max(a.depth, b.depth) + 1;
    // Stored once on the way of a part at most.
    const part = two(a.part, b.part);
    return { part: Math.max(a.depth, b.depth) === 0 ? store(part, depth) : part, depth };
  };
  return fold(choices.tree, leaves, joinLeaves, first).part;
}

/** What an honest merge of this profile answers. */
export function honestMerge(
  c: AttentionCase,
  asked: ProfileLike,
  choices: MergeChoices,
): GivenOutputs {
  const profile = profileFrom(asked);
  const m = machine(profile, choices);
  const { outs, lses } = c.inputs;
  if (outs === undefined || lses === undefined) throw new RangeError('a merge expected parts');
  const { batch, heads, seq_q, head_dim_v, seq_kv: parts } = c.parameters;
  const out = zeros([batch, heads, seq_q, head_dim_v]);
  const lse = zeros([batch, heads, seq_q]);
  forEachIndex(lse.shape, ([b = 0, h = 0, i = 0]) => {
    const given = Array.from({ length: parts }, (_, p): Partial => {
      const value = lses.get(p, b, h, i);
      const read = (e: number): number => m.input(outs.get(p, b, h, i, e));
      const o = Array.from({ length: head_dim_v }, (__, e) => (value === NEVER ? 0 : read(e)));
      return { m: value === NEVER ? NEVER : m.round(value), l: 1, o };
    });
    const row = mergedRow(m, choices, given);
    lse.set(b, h, i, row?.m ?? NEVER);
    row?.o.forEach((x, e) => {
      out.set(b, h, i, e, m.output(x));
    });
  });
  const dtype = profile.base === 'f64' ? 'F64' : 'F32';
  return { out: { dtype, tensor: out }, lse: { dtype, tensor: lse } };
}

const mergeChoicesArbitrary = (profile: Profile): fc.Arbitrary<MergeChoices> =>
  fc
    .record({
      atOnce: fc.boolean(),
      weighing: fc.constantFrom('lse' as const, 'quotient' as const, 'running' as const),
      empties: fc.constantFrom('left-out' as const, 'weighed' as const),
      other: choicesArbitrary(profile),
    })
    .map(({ other, ...own }) => ({ ...other, ...own }));

/** A merge and a programmer. */
export function honestMergeArbitrary(
  asked: ProfileLike,
  options: MergeOptions = {},
): fc.Arbitrary<{ readonly recipe: MergeRecipe; readonly choices: MergeChoices }> {
  const profile = profileFrom(asked);
  const dtypes = ASKED[profile.base satisfies ProfileName];
  return fc.record({
    choices: mergeChoicesArbitrary(profile),
    recipe: mergeRecipeArbitrary({ dtypes, ...options }),
  });
}
