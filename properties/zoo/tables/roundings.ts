/**
 * Faults of precision: one step of the host is kept in a format narrower than the profile says.
 * @module
 */
import type { ProfileName } from '../../../reference/bounds/lemmas/profile.ts';
import type { FormatName } from '../../../reference/numbers/format.ts';
import type { Fault } from '../fault.ts';
import { type Precision, to } from '../host/precision.ts';

/** What a step keeps, as the subject of a sentence. */
const KEEPS: Readonly<Record<keyof Precision, string>> = {
  operand: 'Q, K, V and dO are',
  score: 'Scores are',
  exponential: 'Exponentials are',
  probability: 'P is',
  scoreGradient: 'dS is',
  sum: 'The sum of exponentials is',
  accumulate: 'The weighted sum of V is',
  partial: 'The partial output between ranks is',
  lse: 'The LSE is',
  delta: 'D is',
  gradient: 'Sums of gradients are',
  output: 'The output is',
};

type Row = readonly [
  step: keyof Precision,
  format: FormatName,
  profile: ProfileName,
  shownBy: string,
  seen?: string,
];

const ROWS: readonly Row[] = [
  ['accumulate', 'bf16', 'f32', 'feature/varlen'],
  ['accumulate', 'bf16', 'bf16', 'probe/one-signed-values'],
  ['accumulate', 'f16', 'f32', 'pair/causal-bottom-right-and-media', 'F-12'],
  ['accumulate', 'f16', 'f16', 'probe/one-signed-values', 'F-12'],
  ['accumulate', 'f32', 'f64', 'pair/gqa-and-causal-top-left'],
  ['accumulate', 'tf32', 'f32', 'pair/causal-bottom-right-and-media'],
  ['delta', 'bf16', 'f32', 'pair/mask-and-causal-top-left'],
  ['delta', 'bf16', 'bf16', 'probe/delta-stands-still'],
  ['delta', 'f16', 'f32', 'pair/gqa-and-causal-top-left'],
  ['delta', 'f16', 'f16', 'probe/delta-stands-still'],
  ['delta', 'tf32', 'f32', 'pair/gqa-and-causal-top-left'],
  ['exponential', 'bf16', 'f32', 'shape/wide-values-gradients'],
  ['exponential', 'f16', 'f32', 'pair/window-and-recompute'],
  ['exponential', 'f32', 'f64', 'probe/shard-1-dominates'],
  ['gradient', 'bf16', 'f32', 'pair/causal-top-left-and-dlse'],
  ['gradient', 'bf16', 'bf16', 'probe/key-gradients-stand-still'],
  ['gradient', 'f16', 'f32', 'pair/media-and-recompute'],
  ['gradient', 'f16', 'f16', 'probe/query-gradients-stand-still'],
  ['gradient', 'f32', 'f64', 'probe/shard-1-dominates'],
  ['gradient', 'tf32', 'f32', 'pair/bias-and-causal-top-left'],
  ['lse', 'bf16', 'f32', 'probe/shift-minus-300-gradients'],
  ['lse', 'bf16', 'bf16', 'shape/head-dim-1'],
  ['lse', 'f16', 'f32', 'probe/shift-plus-300-gradients'],
  ['lse', 'f16', 'f16', 'probe/scale-zero'],
  ['lse', 'f32', 'f64', 'probe/shift-plus-300'],
  ['lse', 'tf32', 'f32', 'probe/shift-plus-300-gradients'],
  ['operand', 'bf16', 'f32', 'pair/causal-top-left-and-window'],
  ['operand', 'f16', 'f32', 'pair/causal-top-left-and-recompute'],
  ['operand', 'tf32', 'f32', 'pair/causal-top-left-and-recompute'],
  ['output', 'bf16', 'f32', 'pair/gqa-and-causal-top-left'],
  ['output', 'f16', 'f32', 'pair/media-and-recompute'],
  ['output', 'tf32', 'f32', 'probe/lengths-and-more-queries'],
  ['partial', 'bf16', 'f32', 'pair/gqa-and-causal-top-left', 'R-15'],
  ['partial', 'bf16', 'bf16', 'probe/partials-stand-still', 'R-15'],
  ['partial', 'f16', 'f32', 'probe/lengths-and-more-queries', 'R-15'],
  ['partial', 'f16', 'f16', 'probe/partials-stand-still', 'R-15'],
  ['partial', 'f32', 'f64', 'pair/causal-top-left-and-media'],
  ['partial', 'tf32', 'f32', 'probe/lengths-and-more-queries'],
  ['probability', 'bf16', 'f32', 'pair/causal-top-left-and-dropout'],
  ['probability', 'f16', 'f32', 'pair/window-and-recompute'],
  ['probability', 'tf32', 'f32', 'pair/causal-top-left-and-dropout'],
  ['scoreGradient', 'bf16', 'f32', 'pair/causal-top-left-and-dlse'],
  ['scoreGradient', 'f16', 'f32', 'pair/window-and-recompute'],
  ['scoreGradient', 'tf32', 'f32', 'pair/causal-bottom-right-and-media'],
  ['score', 'bf16', 'f32', 'probe/shift-minus-300-one-rank'],
  ['score', 'bf16', 'bf16', 'probe/shift-minus-300'],
  ['score', 'f16', 'f32', 'probe/large-scores-small-scale'],
  ['score', 'f16', 'f16', 'probe/large-scores-small-scale', 'F-11'],
  ['score', 'f32', 'f64', 'probe/shard-1-dominates'],
  ['score', 'tf32', 'f32', 'probe/shift-plus-300-one-rank'],
  ['sum', 'bf16', 'f32', 'size/4096-keys'],
  ['sum', 'bf16', 'bf16', 'shape/head-dim-1'],
  ['sum', 'f16', 'f32', 'pair/gqa-and-bias'],
  ['sum', 'f16', 'f16', 'shape/head-dim-1'],
  ['sum', 'tf32', 'f32', 'pair/gqa-and-bias'],
];

function wrongOf(step: keyof Precision, format: FormatName, profile: ProfileName): string {
  if (profile === 'f32')
    return `${KEEPS[step]} rounded to ${format} by a candidate that declares f32.`;
  if (profile === 'f64') return `${KEEPS[step]} rounded to ${format} at profile f64.`;
  return `${KEEPS[step]} kept in ${format}, not in f32, at profile ${profile}.`;
}

const hyphened = (step: string): string => step.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

export const FAULTS: readonly Fault[] = ROWS.map(
  ([step, format, profile, shownBy, seen = 'invented']) => ({
    name: `${hyphened(step)}-in-${format}${profile === 'f32' ? '' : `-at-${profile}`}`,
    wrong: wrongOf(step, format, profile),
    seen,
    ...(profile === 'f32' ? {} : { profile }),
    shownBy,
    seams: () => ({ round: (honest) => ({ ...honest, [step]: to(format) }) }),
  }),
);
