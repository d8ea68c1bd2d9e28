/**
 * Diagnosis: what the failures of a run have in common, as one plain value that every printer prints.
 *
 * It says only what was seen: a fault is named where its answers are the candidate's on every case
 * that was held against it, a trait where it tells the failing cases from the passing ones.
 * @module
 */
import type { OutputName } from '../../reference/case/case.ts';

/** How many cases something holds of, of how many. */
export interface Share {
  readonly cases: number;
  readonly of: number;
}

/** A known fault, or two at once, that answers as the candidate does. */
export interface Fit {
  /** Names in the zoo: one, or two at once. */
  readonly faults: readonly string[];
  /** What goes wrong, a sentence each. */
  readonly wrong: readonly string[];
  /** Failing and passing cases in which the answers agree, of those that were tried. */
  readonly failing: Share;
  readonly passing: Share;
  /** They agree in these wrong outputs, the first one among them, and not in those; default: in all. */
  readonly outputs?: readonly OutputName[];
  readonly unlike?: readonly OutputName[];
  /** They agree where one rank does all, as in a program that is not distributed; default: as dealt. */
  readonly ranks?: 'one';
}

/**
 * What the candidate behaves like. `fault`, `pair`: `fits` answer as it does in all cases tried, or in the
 * outputs or nearly all cases that they name, best first; these cases do not tell them apart. `rounding`:
 * errors of `fits` are of the size of the candidate's in every output, the nearest first. `precision`: every
 * answer lies within the bounds of `profile`, which it does not declare. `none`: nothing that was tried fits.
 * `untried`: no failing case's answer was at hand, or all were too large.
 */
export interface Behaviour {
  readonly kind: 'fault' | 'pair' | 'rounding' | 'precision' | 'none' | 'untried';
  readonly fits: readonly Fit[];
  readonly profile?: string;
  /** Faults that were tried. */
  readonly tried: number;
  /** The time was over before all was tried. */
  readonly stopped?: true;
  readonly sentence: string;
}

/** Traits that failing cases have together, and how many passing cases have them all too. */
export interface TraitGroup {
  /** Each as it stands in a sentence: `kv_heads < heads`. */
  readonly traits: readonly string[];
  readonly failing: Share;
  readonly passing: Share;
}

/**
 * What sets failing cases apart: the first group of traits, of all failing cases where it stands alone.
 * With `further` ones it is of the most, each of these of those that the groups before it leave, and
 * together of all. No traits: nothing that was tried sets them apart.
 */
export interface TraitPattern extends TraitGroup {
  readonly further?: readonly TraitGroup[];
  readonly sentence: string;
}

/** Failing cases that a fresh process answers rightly when it is asked them alone: the candidate remembers. */
export interface MemoryPattern {
  /** Those that pass alone, of those that were asked again. */
  readonly alone: Share;
  /** Some of them, the cheapest first, and the earlier questions after which they fail. */
  readonly after: readonly { readonly id: string; readonly before: readonly string[] }[];
  readonly sentence: string;
}

/** What is wrong inside one output, over the failing cases that show it. */
export interface OutputPattern {
  readonly output: OutputName;
  /** Failing cases in which this output is wrong, of the failing cases that want it. */
  readonly wrong: Share;
  /** What was found, the most telling first: `twice what it should be`, `only rows of rank 1`. */
  readonly findings: readonly Finding[];
}

/** One thing found inside an output. */
export interface Finding {
  readonly sentence: string;
  /** The wrong cases that it holds of, of those looked at. */
  readonly holds: Share;
}

export interface Diagnosis {
  /** One sentence over all failures. */
  readonly headline: string;
  /** Wrong answers, and cases without a usable answer. */
  readonly wrong: number;
  readonly broken: number;
  readonly passing: number;
  /** Up to three failing cases, the cheapest first. */
  readonly smallest: readonly string[];
  /** Null where none passes alone, or none was asked again. */
  readonly memory: MemoryPattern | null;
  /** Null where no answer is wrong. */
  readonly behaviour: Behaviour | null;
  /** What sets the cases with wrong answers apart; null where there are none, but those of memory. */
  readonly traits: TraitPattern | null;
  /** What sets the cases without a usable answer apart; null where there are none, but those of memory. */
  readonly broken_traits: TraitPattern | null;
  /** In the order of computation: the first wrong output comes first. */
  readonly outputs: readonly OutputPattern[];
}
