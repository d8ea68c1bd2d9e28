/**
 * Functionals: whether the errors of a half-precision answer, each within its bound, lean one way together.
 * spec/bounds.md §11
 *
 * For each direction in which one thing would be a little wrong, F = Σ w·(got − exact) with weights that the exact
 * answer fixes. Where roundings are of mean zero whatever came before them, F is beyond 6.5·√variance with a
 * chance below 10⁻⁹ (Azuma and Hoeffding).
 * @module
 */
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import { wantsGradients } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { roundTo, ulp } from '../../reference/numbers/format.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { type Dense, denseCase, type FunctionalOutput } from './dense.ts';
import { type Direction, directions } from './directions.ts';
import { noiseOf } from './noise.ts';

/** One direction made ready: weights, and what an honest program's F may be. */
interface Functional extends Omit<Direction, 'moves'> {
  readonly w: Float64Array;
  readonly variance: number;
  readonly drift: number;
  /** F of a fault of size 1. */
  readonly response: number;
}

export interface Prepared {
  readonly dense: Dense;
  readonly functionals: readonly Functional[];
}

/** How far one direction stands out. */
export interface Standing {
  readonly output: FunctionalOutput;
  readonly fault: string;
  /** (|F| − drift)/√(variance/3), with the sign of F; 0 within the drift. */
  readonly z: number;
  /** The size of the fault that would move the output so. */
  readonly size: number;
}

/** λ = 6.5 of Azuma and Hoeffding on √variance, which is √3 standard deviations of uniform roundings. */
export const IMPROBABLE = 11.3;
/** What uniform roundings do not reach in the life of a project. */
export const SUSPICIOUS = 7;

/** Products beyond which a case is left to its bounds. */
const MOST = 2 ** 24;

/** Has a case functionals at a profile? Random values, given K and V, a half format, and no option but `fused`. */
export function fits({ parameters: p, judging }: AttentionCase, profile: Profile): boolean {
  const half = profile.outputFormat === 'f16' || profile.outputFormat === 'bf16';
  const plain =
    profile.headroom === 0 &&
    profile.summed === 0 &&
    // Of a scaled Q or K that was rounded the noise is not known well enough: honest programs stood at 30 and 70.
    profile.scaledOperand === 0 &&
    profile.partial === 0 &&
    !profile.subtractsInMerges &&
    flushesNothing(profile);
  const products = p.batch * p.heads * p.seq_q * p.seq_kv * (p.head_dim + p.head_dim_v);
  const sameDtype = p.dtype === profile.base;
  // Else κ of a key at its row's maximum is rounded alike in every row.
  const kappa = 1 / (1 - p.dropout_rate);
  const keptExact = roundTo(profile.base, kappa) === kappa;
  return (
    judging === 'random' &&
    keptExact &&
    half &&
    plain &&
    sameDtype &&
    p.dim_y === undefined &&
    products <= MOST
  );
}

const flushesNothing = ({ operandTiny, base }: Profile): boolean =>
  operandTiny === 0 || operandTiny < ulp(base, 0);

/** Weights w = f/σ²: an element counts by how well it is known. */
function weights(dense: Dense, profile: Profile, { output, moves }: Direction): Float64Array {
  const { exact } = dense;
  const mean = exact[output].reduce((sum, x) => sum + x * x, 0) / Math.max(1, exact[output].length);
  const format = profile.outputFormat;
  return moves.map((f, n) => {
    const own = ulp(format, nth(exact[output], n));
    return f / (own * own + mean * profile.output * profile.output);
  });
}

/** Where an LSE is larger its f32 errors are beyond first order: rows under a format's lowest bias, say. */
const LARGEST_LSE = 2 ** 11;

/** Everything that an answer will be held to, from the case alone. */
export function prepare(attentionCase: AttentionCase, profile: Profile): Prepared {
  const dense = denseCase(attentionCase);
  const near = dense.heads.every(({ lse }) => lse.every((x) => Math.abs(x) <= LARGEST_LSE));
  if (!near) return { dense, functionals: [] };
  const { wants } = attentionCase.parameters;
  const functionals = directions(dense, wantsGradients(attentionCase.parameters))
    .filter(({ output }) => wants.includes(output))
    .map((direction): Functional => {
      const { output, fault, moves } = direction;
      const w = weights(dense, profile, direction);
      const response = moves.reduce((sum, f, n) => sum + f * nth(w, n), 0);
      return { output, fault, w, response, ...noiseOf(dense, profile, output, w) };
    })
    .filter(({ response, variance }) => response > 0 && variance > 0);
  return { dense, functionals };
}

/** How far every direction stands out, the furthest first. Outputs that are not numbers are the judge's. */
export function standings({ dense, functionals }: Prepared, outputs: GivenOutputs): Standing[] {
  const errors = new Map<FunctionalOutput, Float64Array>();
  for (const output of ['out', 'd_q', 'd_k', 'd_v'] as const) {
    const given = outputs[output];
    if (given === undefined) continue;
    const exact = dense.exact[output];
    const got = Float64Array.from(toFlat(given.tensor));
    if (got.length !== exact.length || !got.every(Number.isFinite)) continue;
    errors.set(
      output,
      got.map((x, n) => x - nth(exact, n)),
    );
  }
  const found = functionals.flatMap(({ output, fault, w, variance, drift, response }) => {
    const error = errors.get(output);
    if (error === undefined) return [];
    let F = 0;
    for (let n = 0; n < error.length; n++) F += nth(w, n) * nth(error, n);
    const z = (Math.sign(F) * Math.max(0, Math.abs(F) - drift)) / Math.sqrt(variance / 3);
    return [{ output, fault, z, size: F / response }];
  });
  return found.sort((a, b) => Math.abs(b.z) - Math.abs(a.z));
}

const FAULTS: Readonly<Record<string, (size: string) => string>> = {
  size: (size) => `as if it were ${size}`,
  scale: (size) => `as if the scale were ${size}`,
  D: (size) => `as if D were ${size}`,
};

/** `d_q leans as if it were 0.4 % too large in head 3: z = 40` */
export function sentenceOf({ output, fault, z, size }: Standing): string {
  const [kind = '', where = ''] = fault.split(' in ');
  const by = `${Number(Math.abs(100 * size).toPrecision(2))} % too ${size > 0 ? 'large' : 'small'}`;
  const told = FAULTS[kind]?.(by) ?? `along ${fault}, by ${Number(size.toPrecision(2))} of it`;
  return `${output} leans ${told}${where === '' ? '' : ` in ${where}`}: z = ${Number(Math.abs(z).toPrecision(3))}`;
}
