/**
 * Entry point `lv-xattn-oracle/reference`: cases, number systems, the definition, the judge.
 * @module
 */

export {
  PROFILE_NAMES,
  PROFILES,
  type Profile,
  type ProfileName,
} from './bounds/lemmas/profile.ts';
export {
  PROFILE_OPTIONS,
  type ProfileLike,
  type ProfileParts,
  profileFrom,
} from './bounds/lemmas/profile-options.ts';
export * from './case/case.ts';
export { featureWords } from './case/features.ts';
export type { GivenOutputs } from './case/given.ts';
export { type CaseChoices, type GivenInputs, makeCase } from './case/make-case.ts';
export { validateCase } from './case/validate.ts';
export { attention, logSumExp } from './definition/attention.ts';
export { attentionGradients } from './definition/gradients.ts';
export { lift, type Problem } from './definition/lift.ts';
export { finish, merge, type PartialResult, single } from './definition/merge.ts';
export { evaluate, referenceOutputs } from './definition/reference.ts';
export { readCase, writeCase, writeOutputs } from './files/case-folder.ts';
export { type OutputsRead, readOutputs } from './files/given-outputs.ts';
export type { Arithmetic } from './numbers/arithmetic.ts';
export { big } from './numbers/big.ts';
export { float64 } from './numbers/float64.ts';
export { rational } from './numbers/rational.ts';
export { block, type Tensor, tensorOf, toFlat, zeros } from './numbers/tensor.ts';
export { oracle } from './oracle/oracle.ts';
export type { Answer, Answers, PlainTensor } from './verdict/answers.ts';
export { expectation } from './verdict/expectation.ts';
export { judge, judgeAgainst, type Verdict } from './verdict/judge.ts';
