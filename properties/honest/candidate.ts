/**
 * Honest candidates: right implementations at every profile, whatever their programmer chose.
 *
 * None may ever be refused. One that is shows an error in spec/bounds.md, never in the candidate.
 * @module
 */
import fc from 'fast-check';
import { PROFILE_NAMES, type ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import {
  optionWord,
  PROFILE_OPTIONS,
  type ProfileLike,
  type ProfileText,
  profileFrom,
} from '../../reference/bounds/lemmas/profile-options.ts';
import {
  type AttentionCase,
  type Dtype,
  type OutputName,
  wantsGradients,
} from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import {
  type CaseOptions,
  type CaseRecipe,
  recipeArbitrary,
} from '../arbitraries/attention-case.ts';
import { given, heldGradients } from './backward.ts';
import { choicesArbitrary, type HonestChoices } from './choices.ts';
import { heldForward, hold } from './forward.ts';
import { machine } from './machine.ts';

/** What an honest candidate of this profile answers, in float32 or float64 containers. */
export function honestOutputs(
  attentionCase: AttentionCase,
  asked: ProfileLike,
  choices: HonestChoices,
): GivenOutputs {
  const profile = profileFrom(asked);
  const held = hold(attentionCase, machine(profile, choices), choices);
  const forward = heldForward(held);
  const { wants } = attentionCase.parameters;
  const all: Partial<Record<OutputName, typeof forward.out>> = {
    out: forward.out,
    lse: forward.lse,
    ...(wantsGradients(attentionCase.parameters) ? heldGradients(held, forward) : {}),
  };
  const dtype = profile.base === 'f64' ? 'F64' : 'F32';
  const outputs: GivenOutputs = {};
  for (const name of wants) {
    const tensor = all[name];
    if (tensor !== undefined) outputs[name] = given(tensor, dtype);
  }
  return outputs;
}

/** Profiles whose peace is kept: the bases, each option in full and in half precision, and all of them. */
export const HONEST_PROFILES: readonly ProfileText[] = [
  ...PROFILE_NAMES,
  ...PROFILE_OPTIONS.flatMap((option) =>
    (['f32', 'f16'] as const).map((base): ProfileText => `${base}+${optionWord(option)}`),
  ),
  `bf16+${PROFILE_OPTIONS.map(optionWord).join('+')}`,
];

/** Dtypes in which a candidate of this profile is asked: its own, and others, which it rounds. */
export const ASKED: Readonly<Record<ProfileName, readonly Dtype[]>> = {
  f64: ['f64', 'f32', 'f16', 'bf16'],
  f32: ['f32', 'f64', 'f16', 'bf16'],
  tf32: ['f32', 'f64', 'f16', 'bf16'],
  f16: ['f16', 'f32', 'bf16'],
  bf16: ['bf16', 'f32', 'f16'],
};

/** A question and a programmer: what the peace of the judge is measured over. */
export function honestArbitrary(
  asked: ProfileLike,
  options: CaseOptions = {},
): fc.Arbitrary<{ readonly recipe: CaseRecipe; readonly choices: HonestChoices }> {
  const profile = profileFrom(asked);
  return fc.record({
    choices: choicesArbitrary(profile),
    recipe: recipeArbitrary({
      shape: { batch: 2, kvHeads: 2, group: 2, seqQ: 4, seqKv: 6, headDim: 4, dimY: 3 },
      dtypes: ASKED[profile.base],
      ...options,
    }),
  });
}
