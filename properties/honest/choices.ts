/**
 * Choices: everything in which two right implementations of attention may differ.
 *
 * spec/bounds.md allows each of them, so none may ever be refused.
 * @module
 */
import fc from 'fast-check';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { type MergeTree, mergeTreeArbitrary } from '../arbitraries/merge-tree.ts';

/** Order in which a sum is taken. `adversarial`: largest magnitudes of one sign first. */
export const ORDERS = [
  'sequential',
  'reversed',
  'pairwise',
  'blocked',
  'shuffled',
  'adversarial',
] as const;
export type Order = (typeof ORDERS)[number];

export interface HonestChoices {
  readonly order: Order;
  /** Seed of the shuffles. */
  readonly seed: number;
  /** Products enter sums unrounded. */
  readonly fma: boolean;
  /** Matrix sums cut off instead of rounding (narrow operands only, as tensor cores do). */
  readonly truncate: boolean;
  /** Results and inputs below the smallest normal number become zero. */
  readonly flush: boolean;
  /** Where the scale goes: on the score, on Q, or its root on both Q and K. */
  readonly scale: 'score' | 'query' | 'both';
  /** dQ, dK: dS times what is left of the scale before it is rounded, or the sums after. */
  readonly gradientScale: 'after' | 'before';
  /** e^(s − m), or 2^(s·log₂e − m·log₂e). */
  readonly base: 'e' | '2';
  /** exp, log and tanh correctly rounded, or as far off as WGSL lets them be. */
  readonly elementary: 'rounded' | 'worst';
  /** P before P·V, and P and dS in the backward pass, rounded to the operand format. */
  readonly roundP: boolean;
  /**
   * Invisible pairs: never computed; computed, and their scores replaced by −∞; or −∞ added to them. The
   * last two multiply whatever they computed by P = 0. spec (5g)
   */
  readonly masking: 'absent' | 'selected' | 'added';
  /** Keys per step of the online softmax. */
  readonly block: number;
  /** Partial results of ranks: (O, LSE), or (m, l, o); and the order of joining them. */
  readonly normalised: boolean;
  readonly tree: MergeTree;
  /**
   * Two normalised partial results: weighed by exp(LSE − new LSE), or as the profile's option says; or now in
   * one way and now in the other.
   */
  readonly merge: 'weights' | 'sigmoid' | 'mixed';
  /** The running maximum: of all scores so far, or behind it as the profile's option says. */
  readonly maximum: 'exact' | 'lazy';
  /** Parts that the keys of one rank are cut into, and that are merged at once. */
  readonly splits: number;
  /** Normalised partial outputs: kept, or stored in the output format as the profile's option says. */
  readonly partials: 'kept' | 'stored';
  /** The denominator: summed from exponentials, or from P as it was rounded for P·V, as the profile's option says. */
  readonly sum: 'unrounded' | 'rounded';
  /** dK and dV of a group's query heads: summed as one, or each stored first. */
  readonly groups: 'summed' | 'stored';
  /** P of the backward pass: from the LSE, or kept from the forward pass. */
  readonly backwardP: 'lse' | 'kept';
  /** D: from the rounded output, or Σ P∘G. */
  readonly delta: 'output' | 'keys';
  /**
   * dS through a softcap: times 1 − t²; or c·tanh(raw/c) derived step by step, dS times c, times 1 − t² and over
   * c, or as (g + g·t)(1 − t) and times 1/c.
   */
  readonly softcap: 'slope' | 'divided' | 'inverted';
}

/** Any honest implementation of the profile; shrinks towards the textbook one. */
export function choicesArbitrary(profile: Profile): fc.Arbitrary<HonestChoices> {
  const merges = profile.subtractsInMerges
    ? (['weights', 'sigmoid', 'mixed'] as const)
    : (['weights'] as const);
  const maxima = profile.headroom > 0 ? (['exact', 'lazy'] as const) : (['exact'] as const);
  const partials = profile.partial > 0 ? (['kept', 'stored'] as const) : (['kept'] as const);
  // A fused kernel never multiplies a scale into an operand.
  const scales = profile.anchored ? (['score'] as const) : (['score', 'query', 'both'] as const);
  const gradientScales = profile.anchored ? (['after', 'before'] as const) : (['after'] as const);
  const sums = profile.summed > 0 ? (['unrounded', 'rounded'] as const) : (['unrounded'] as const);
  return fc.record({
    order: fc.constantFrom(...ORDERS),
    seed: fc.nat({ max: 1000 }),
    fma: fc.boolean(),
    truncate: fc.boolean(),
    flush: fc.boolean(),
    scale: fc.constantFrom(...scales),
    base: fc.constantFrom('e' as const, '2' as const),
    elementary: fc.constantFrom('rounded' as const, 'worst' as const),
    roundP: fc.boolean(),
    masking: fc.constantFrom('absent' as const, 'selected' as const, 'added' as const),
    block: fc.constantFrom(1000, 1, 2, 3),
    normalised: fc.boolean(),
    tree: mergeTreeArbitrary(),
    backwardP: fc.constantFrom('lse' as const, 'kept' as const),
    delta: fc.constantFrom('output' as const, 'keys' as const),
    merge: fc.constantFrom(...merges),
    maximum: fc.constantFrom(...maxima),
    splits: fc.constantFrom(1, 1, 2, 3),
    partials: fc.constantFrom(...partials),
    groups: fc.constantFrom('summed' as const, 'stored' as const),
    gradientScale:
      gradientScales.length === 1
        ? fc.constant('after' as const)
        : fc.constantFrom(...gradientScales),
    softcap: fc.constantFrom('slope' as const, 'divided' as const, 'inverted' as const),
    sum: fc.constantFrom(...sums),
  });
}
