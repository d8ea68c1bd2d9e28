/**
 * The expectation of a sample of a large case: values and radii by the kernels, bounds from the facts
 * of whole rows. Nothing of the size of K and V is held, nor anything of Sq×Skv.
 *
 * These bounds are never below those of expectation.ts, so a verdict that is wrong there for a right
 * candidate is none here; what they lose in sharpness is measured in sampled.test.ts.
 * @module
 */

import { ballsOf } from '../bounds/by-pair/by-kernels.ts';
import type { FlatBalls } from '../bounds/by-pair/certified.ts';
import { keyBounds } from '../bounds/by-row/key-bounds.ts';
import { type LargestInputs, largestComponent, largestInputs } from '../bounds/by-row/largest.ts';
import { queryErrors, type RowErrors, rowErrors } from '../bounds/by-row/row-bounds.ts';
import { factsOf, type RowFacts } from '../bounds/by-row/row-facts.ts';
import { caseModel, type ErrorModel, lambdaFor } from '../bounds/lemmas/error-model.ts';
import { type ProfileLike, profileFrom } from '../bounds/lemmas/profile-options.ts';
import { widenBeyond } from '../bounds/range/range.ts';
import { overflowCheck } from '../bounds/range/within-range.ts';
import {
  type AttentionCase,
  FEATURE_GRADIENTS,
  type OutputName,
  type Outputs,
} from '../case/case.ts';
import { isSampled, type Sample, sampledOutput } from '../case/sampling.ts';
import { type Certified, certifySized } from '../kernels/float64/certify.ts';
import { shareInputs } from '../kernels/threads/shared.ts';
import { nth } from '../numbers/nth.ts';
import { filled, indexOf, flatOf as placeOf, tensorOf } from '../numbers/tensor.ts';
import { type Bounds, type Expectation, lseBound, sumCount, widened } from './expectation.ts';

const ROW_OUTPUTS: readonly OutputName[] = ['out', 'lse', 'd_q'];
const KEY_OUTPUTS: readonly OutputName[] = ['d_k', 'd_v', ...FEATURE_GRADIENTS];

/** What one pass through the kernels gives: balls of outputs, facts of the rows it went through. */
interface Pass {
  readonly outputs: Certified;
  readonly facts: readonly (RowFacts | null)[];
}

const wanting = (c: AttentionCase, wants: OutputName[]): AttentionCase => ({
  ...c,
  parameters: { ...c.parameters, wants },
});

/** The chosen rows: out and lse, whether wanted or not, and dQ where it is. */
function rowPass(c: AttentionCase, sample: Sample, largest: LargestInputs, threads: number): Pass {
  const wants: OutputName[] = ['out', 'lse'];
  if (c.parameters.wants.includes('d_q')) wants.push('d_q');
  const question = wanting(c, wants);
  const run = { rows: sample.rows, threads, keyErrors: largest.errors };
  const sized = certifySized(question, { ...run, rows: sample.rows ?? undefined });
  return { outputs: sized.certified, facts: factsOf(question, sized, largest, run) };
}

/** Every row, for dK and dV at the sample's keys and those of `names` that they go on to. */
function keyPass(
  c: AttentionCase,
  { keys }: Sample,
  names: readonly OutputName[],
  largest: LargestInputs,
  threads: number,
): Pass {
  const further = FEATURE_GRADIENTS.filter((name) => names.includes(name));
  const question = wanting(c, ['out', 'lse', 'd_k', 'd_v', ...further]);
  const run = { rows: null, threads, keyErrors: largest.errors };
  const sized = certifySized(question, { ...run, rows: undefined, keys: keys ?? undefined });
  const facts = factsOf(question, sized, largest, run);
  return { outputs: sized.certified, facts };
}

/** Errors by output and model, flat; an output that is not here has none derived. */
type ModelErrors = Partial<Record<OutputName, Float64Array>>;

function rowModelErrors(
  c: AttentionCase,
  model: ErrorModel,
  { outputs, facts }: Pass,
): { errors: ModelErrors; lseError: Float64Array } {
  const { head_dim: d, head_dim_v: dv } = c.parameters;
  const lseError = new Float64Array(facts.length);
  const errors: ModelErrors = { out: new Float64Array(facts.length * dv) };
  const dQ = outputs.d_q === undefined ? null : ballsOf(outputs.d_q);
  if (dQ !== null) errors.d_q = new Float64Array(facts.length * d);
  facts.forEach((row, n) => {
    if (row === null) return;
    const made: RowErrors = rowErrors(c.parameters, model, row);
    lseError[n] = made.lseError;
    errors.out?.set(made.out, n * dv);
    if (dQ === null) return;
    const exact = dQ.mid
      .subarray(n * d, (n + 1) * d)
      .map((x, e) => Math.abs(x) + nth(dQ.rad, n * d + e));
    errors.d_q?.set(queryErrors(c.parameters, model, row, made, exact), n * d);
  });
  return { errors, lseError };
}

interface Passes {
  readonly rows: Pass;
  readonly keys: (Pass & { readonly positions: readonly number[] }) | null;
  readonly largest: LargestInputs;
  /** Lemma Range's quick answer; it reads every input, so it is asked for once. */
  readonly fits: ReturnType<typeof overflowCheck>;
}

/** The bounds of every sampled output under one model, those of the chosen keys found before. */
function boundsUnder(
  c: AttentionCase,
  model: ErrorModel,
  { rows, keys }: Passes,
  ofKeys: ReadonlyMap<OutputName, Float64Array> | undefined,
  { values, excused }: Pick<Expectation, 'values' | 'excused'>,
): Bounds {
  const { errors, lseError } = rowModelErrors(c, model, rows);
  return {
    of: (name, stored) => {
      const output = (KEY_OUTPUTS.includes(name) ? keys : rows)?.outputs[name];
      if (output === undefined) return undefined;
      const balls: FlatBalls = ballsOf(output);
      const error = errors[name] ?? ofKeys?.get(name);
      const bound =
        name === 'lse'
          ? lseBound(balls, { model, lseError }, stored)
          : error === undefined
            ? undefined
            : widened(error, balls);
      return bound === undefined ? bound : widenBeyond(bound, values[name], excused(name));
    },
  };
}

/** Lemma Range for the case as a whole: all of an output is excused, or nothing. */
function excusedBy(
  c: AttentionCase,
  model: ErrorModel,
  { rows, keys, fits }: Passes,
  values: Outputs,
): Expectation['excused'] {
  // What an output rests on: its own rows, or every row that a key is seen by.
  const held = (facts: Pass['facts'], gradients: boolean): boolean => {
    let [lseError, nearBias] = [0, 0];
    for (const row of facts) {
      if (row === null) continue;
      const made = rowErrors(c.parameters, model, row);
      lseError = Math.max(lseError, made.lseError);
      // Masked keys weigh less than 2⁻¹⁰⁰⁰ as long as the LSE is off by no more than this.
      const biases = made.lseError < 100 ? made.near : row;
      nearBias = Math.max(nearBias, biases.bias ?? 0);
    }
    return fits(model, lseError, gradients, nearBias);
  };
  const [forward, ofRows] = [held(rows.facts, false), held(rows.facts, true)];
  const ofKeys = keys === null || held(keys.facts, true);
  return (name) => {
    const shape = values[name]?.shape;
    const all = name === 'out' || name === 'lse' ? forward : name === 'd_q' ? ofRows : ofKeys;
    return all || shape === undefined ? undefined : filled(shape, true);
  };
}

/** The bounds of every sampled output under each model; those of keys go through their pairs once for all. */
function boundsOf(
  c: AttentionCase,
  models: readonly ErrorModel[],
  passes: Passes,
  answer: Pick<Expectation, 'values' | 'excused'>,
): Bounds[] {
  const { keys, largest } = passes;
  const ofKeys =
    keys === null || models.length === 0
      ? []
      : keyBounds(c, keys.outputs, { keys: keys.positions, largest }, keys.facts, models);
  return models.map((model, n) => boundsUnder(c, model, passes, ofKeys[n], answer));
}

/** Nothing but the radius: what an exact answer may seem to be off by. */
function radii(values: Outputs, { rows, keys }: Passes): Bounds {
  return {
    of: (name) => {
      const output = (KEY_OUTPUTS.includes(name) ? keys : rows)?.outputs[name];
      if (output === undefined || values[name] === undefined) return undefined;
      const balls = ballsOf(output);
      const rad = balls.rad.map((r) => (Number.isNaN(r) ? 0 : r));
      return widened(new Float64Array(rad.length), { ...balls, rad });
    },
  };
}

/** Outputs of a case that a sample of it has and that can be judged here. */
export function judgedOutputs({ parameters }: AttentionCase, sample: Sample): OutputName[] {
  return parameters.wants.filter(
    (name) => isSampled(sample, name) && (ROW_OUTPUTS.includes(name) || KEY_OUTPUTS.includes(name)),
  );
}

/** The answer at the sample's rows and keys, with the bounds that a profile allows. */
export function sampledExpectation(
  given: AttentionCase,
  asked: ProfileLike,
  sample: Sample,
  threads: number,
): Expectation {
  const profile = profileFrom(asked);
  const attentionCase = shareInputs(given, threads);
  const { parameters: p, judging } = attentionCase;
  const names = judgedOutputs(attentionCase, sample);
  const positions = sample.keys ?? Array.from({ length: p.seq_kv }, (_, j) => j);
  const largest = largestInputs(attentionCase, threads);
  const [k, v] = [largestComponent(largest.keys), largestComponent(largest.values)];
  const passes: Passes = {
    rows: rowPass(attentionCase, sample, largest, threads),
    keys:
      sample.keys?.length !== 0 && names.some((name) => KEY_OUTPUTS.includes(name))
        ? { ...keyPass(attentionCase, sample, names, largest, threads), positions }
        : null,
    largest,
    fits: overflowCheck(attentionCase, { k, v }),
  };
  const values: Outputs = {};
  for (const name of names) {
    const output = (KEY_OUTPUTS.includes(name) ? passes.keys : passes.rows)?.outputs[name];
    const { shape } = sampledOutput(attentionCase, sample, name);
    if (output !== undefined) values[name] = tensorOf<number>(output.mid.data, shape);
  }
  const model = (lambda: number | null) => caseModel(profile, p, lambda);
  const exact = judging === 'exact';
  const models = exact ? [] : [model(null)];
  if (judging === 'random') models.push(model(lambdaFor(sumCount(attentionCase))));
  const excused = excusedBy(attentionCase, model(null), passes, values);
  const [worstCase = radii(values, passes), probabilistic = null] = boundsOf(
    attentionCase,
    models,
    passes,
    { values, excused },
  );
  return {
    attentionCase: { ...attentionCase, judging: exact ? 'structured' : judging },
    profile,
    values,
    ...{ worstCase, probabilistic, excused },
    place: (name, index) => {
      const { shape, whole, wholeFlat } = sampledOutput(attentionCase, sample, name);
      return indexOf(whole, wholeFlat(placeOf(shape, index)));
    },
  };
}
