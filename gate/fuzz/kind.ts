/**
 * Kinds of failure: what makes two failing cases the same finding.
 *
 * A wrong forward result makes every gradient wrong too, so a kind names the first wrong output in
 * the order in which they depend on each other, and how it is wrong: NaN, infinite, or another
 * number. A broken answer is told by its reason, numbers and paths left out.
 * @module
 */
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { featureWords, OP_WORDS } from '../../reference/case/features.ts';
import { isFailure, type OutputReport, type Verdict } from '../../reference/verdict/judge.ts';

/** Each output after those that it is computed from. */
export const UPSTREAM_FIRST: readonly OutputName[] = [
  'lse',
  'out',
  'd_v',
  'd_sink',
  'd_bias',
  'd_q',
  'd_k',
  'd_w_v',
  'd_w_k',
  'd_y',
];

function symptom({ expected, got }: OutputReport): string {
  if (Number.isNaN(got)) return 'NaN';
  if (Number.isFinite(got)) return Number.isFinite(expected) ? 'wrong' : 'finite';
  return 'infinite';
}

/** The kind of a failing verdict; null for one that does not fail. */
export function kindOf({ verdict, reason, outputs }: Verdict): string | null {
  if (!isFailure(verdict)) return null;
  if (verdict === 'broken') {
    // Without lists of numbers too: a library's complaint about shapes is one complaint.
    const plain = reason.replace(/[\d.]+|"[^"]*"|\/\S+/g, '#').replace(/#(, ?#)+/g, '#');
    return `broken: ${plain}`;
  }
  for (const name of UPSTREAM_FIRST) {
    const report = outputs[name];
    if (report !== undefined && report.max_bound_fraction > 1) return `${name} ${symptom(report)}`;
  }
  return verdict;
}

/** A failure that was met before: its kind, and the words of the smallest case that shows it. */
export interface Known {
  readonly kind: string;
  readonly words: readonly string[];
}

/** Words that every case has and that tell nothing of the fault. */
const PLAIN = new Set(['forward', 'backward', 'f64', 'f32', 'f16', 'bf16']);

export function tellingWords(question: AttentionCase): string[] {
  return featureWords(question).filter((word) => !PLAIN.has(word));
}

/** The step of the algorithm that is asked by itself; undefined of attention. */
const stepIn = (words: readonly string[]): string | undefined =>
  OP_WORDS.find((step) => words.includes(step));

/**
 * Whether a failing case shows nothing new: a smaller one of its kind, of attention or of the same step of it,
 * needs no feature that this one lacks.
 */
export function isKnown(known: readonly Known[], kind: string, words: readonly string[]): boolean {
  return known.some(
    (one) =>
      one.kind === kind &&
      stepIn(one.words) === stepIn(words) &&
      one.words.every((word) => words.includes(word)),
  );
}
