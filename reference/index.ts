/**
 * Entry point `lv-xattn-oracle/reference`: cases, number systems, the definition, the judge.
 * @module
 */

export { big } from './arithmetic/big.ts';
export { float64 } from './arithmetic/float64.ts';
export { rational } from './arithmetic/rational.ts';
export type { Arithmetic } from './arithmetic.ts';
export { attention, logSumExp } from './attention.ts';
export * from './case.ts';
export { expectation } from './expectation.ts';
export { attentionGradients } from './gradients.ts';
export { type GivenOutputs, judge, judgeAgainst, type Verdict } from './judge.ts';
export { lift, type Problem } from './lift.ts';
export { finish, merge, type PartialResult, single } from './merge.ts';
export { oracle } from './oracle.ts';
export { PROFILE_NAMES, PROFILES, type Profile, type ProfileName } from './profile.ts';
export {
  PROFILE_OPTIONS,
  type ProfileLike,
  type ProfileParts,
  profileFrom,
} from './profile-options.ts';
export { evaluate, referenceOutputs } from './reference.ts';
export { block, type Tensor, tensorOf, toFlat, zeros } from './tensor.ts';
