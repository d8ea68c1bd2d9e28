/**
 * Every law of properties/laws, executed: on rationals with zero tolerance, and on honest candidates
 * at any profile with the tolerance that follows from their bounds. spec (1)-(26)
 * @module
 */
import fc from 'fast-check';
import type { Fraction } from 'mathjs';
import type { ProfileName } from '../reference/bounds/lemmas/profile.ts';
import { rational } from '../reference/numbers/rational.ts';
import { buildCase } from './arbitraries/attention-case.ts';
import { rationalCaseArbitrary } from './arbitraries/rational-case.ts';
import { honestArbitrary, honestOutputs } from './honest/candidate.ts';
import { checkLaw, type Equation, type Law, relatives } from './laws/law.ts';
import { rationalOutputs } from './rational-outputs.ts';

/** Σ coefficient·element − constant; null where an element is not rational (the LSE). */
function exactResidual(
  { terms, constant }: Equation,
  outputs: readonly ReturnType<typeof rationalOutputs>[],
): Fraction | null {
  const { add, mul, fromNumber, neg } = rational;
  let sum = neg(fromNumber(constant));
  for (const { run, output, index, coefficient } of terms) {
    const tensor = outputs[run]?.[output];
    if (tensor === undefined) return null;
    sum = add(sum, mul(fromNumber(coefficient), tensor.get(...index)));
  }
  return sum;
}

/** Counts how often the property really said something. */
export interface Tally {
  cases: number;
  equations: number;
}

/** On rationals, every equation of the law holds exactly. */
export function lawOnRationals(law: Law, tally: Tally = { cases: 0, equations: 0 }) {
  return fc.property(rationalCaseArbitrary(), (c) => {
    const cases = relatives(law, c);
    if (cases === null) return;
    const outputs = cases.map(rationalOutputs);
    tally.cases++;
    for (const equation of law.equations(c, cases.slice(1))) {
      const off = exactResidual(equation, outputs);
      if (off === null) continue;
      tally.equations++;
      if (off.n !== 0n) {
        throw new Error(`${law.name}: ${JSON.stringify(equation)} is off by ${off.toFraction()}`);
      }
    }
  });
}

/** An honest candidate obeys the law at its profile, within the bounds of its answers. */
export function lawOnHonest(
  law: Law,
  profile: ProfileName,
  tally: Tally = { cases: 0, equations: 0 },
) {
  return fc.property(honestArbitrary(profile), ({ recipe, choices }) => {
    const cases = relatives(law, buildCase(recipe));
    if (cases === null) return;
    const outputs = cases.map((c) => honestOutputs(c, profile, choices));
    const verdict = checkLaw(law, cases, outputs, profile);
    tally.cases++;
    tally.equations += verdict.checked;
    if (verdict.verdict === 'impossible') throw new Error(`${law.name}: ${verdict.reason}`);
  });
}
