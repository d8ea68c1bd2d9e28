/**
 * Power: every fault of the zoo on every case of a suite at its profile, judged by the gate and by
 * the rules of others.
 * @module
 */

import { type Fault, faultyHost, profileOf } from '../../properties/zoo/fault.ts';
import { eagerPrecision } from '../../properties/zoo/host/precision.ts';
import { honestHost, hostOf } from '../../properties/zoo/host.ts';
import type { ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import { type ProfileText, profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase, Dtype, Outputs } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { type Expectation, expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeAgainst } from '../../reference/verdict/judge.ts';
import type { SuiteCase } from '../suite.ts';
import { RULES, type Rule, refusedBy } from './rules.ts';

/** One case that refuses a fault. */
export interface Kill {
  /** Without the suite's name. */
  readonly id: string;
  /** Deviation over bound; Infinity where no bound allows it. */
  readonly deviation: number;
}

/** What became of one fault. */
export interface FaultPower {
  readonly fault: Fault;
  readonly cases: number;
  readonly killedBy: number;
  readonly first: Kill | null;
  readonly strongest: Kill | null;
  /** Cases of usual data (random controls) and all cases on which each rule refuses it. */
  readonly usual: Readonly<Record<Rule, number>>;
  readonly all: Readonly<Record<Rule, number>>;
}

/** The honest host under the same rules: how many cases each refuses, though nothing is wrong. */
export interface ProfilePeace {
  readonly profile: ProfileText;
  readonly cases: number;
  readonly refused: number;
  readonly all: Readonly<Record<Rule, number>>;
  /** Largest share of the bound that the honest host fills. */
  readonly largest: number;
}

/** Inputs a suite is built of for each profile. */
export const PROFILE_DTYPE: Readonly<Record<ProfileName, Dtype>> = {
  f64: 'f64',
  f32: 'f32',
  tf32: 'f32',
  f16: 'f16',
  bf16: 'bf16',
};

const none = (): Record<Rule, number> => ({ allclose: 0, 'flash-attention': 0, pytorch: 0 });

export function given(outputs: Outputs): GivenOutputs {
  const entries = Object.entries(outputs).map(([name, tensor]) => [name, { dtype: 'F64', tensor }]);
  return Object.fromEntries(entries);
}

/** Cases of random values that are no probe for anything: what usual tests consist of. */
function isUsual(suiteCase: SuiteCase, built: AttentionCase): boolean {
  return built.judging === 'random' && suiteCase.shows === null;
}

interface Running {
  readonly fault: Fault | null;
  readonly answer: (attentionCase: AttentionCase) => Outputs;
  cases: number;
  killedBy: number;
  first: Kill | null;
  strongest: Kill | null;
  largest: number;
  readonly usual: Record<Rule, number>;
  readonly all: Record<Rule, number>;
}

const running = (fault: Fault | null, answer: Running['answer']): Running => ({
  fault,
  answer,
  cases: 0,
  killedBy: 0,
  first: null,
  strongest: null,
  largest: 0,
  usual: none(),
  all: none(),
});

function ask(
  one: Running,
  expected: Expectation,
  eager: Outputs,
  id: string,
  usual: boolean,
): void {
  const outputs = one.answer(expected.attentionCase);
  const verdict = judgeAgainst(expected, given(outputs));
  const fractions = Object.values(verdict.outputs).map(
    ({ max_bound_fraction }) => max_bound_fraction,
  );
  const deviation = Math.max(0, ...fractions);
  one.cases++;
  one.largest = Math.max(one.largest, deviation);
  if (isFailure(verdict.verdict)) {
    const kill = { id, deviation: verdict.verdict === 'broken' ? Infinity : deviation };
    one.killedBy++;
    one.first ??= kill;
    if (one.strongest === null || kill.deviation > one.strongest.deviation) one.strongest = kill;
  }
  const refused = refusedBy(expected.values, eager, outputs);
  for (const rule of RULES) {
    if (!refused.has(rule)) continue;
    one.all[rule]++;
    if (usual) one.usual[rule]++;
  }
}

/** How far a fault that was refused already is asked on: all cases, the common ones, or none. */
export type Thoroughness = 'all' | 'brief' | 'quick';

/** Cases of no special purpose, which a brief run asks of every fault. */
export const COMMON = ['basic', 'feature'] as const;

const isCommon = (id: string): boolean => COMMON.some((group) => id.startsWith(`${group}/`));

/**
 * Every fault of one profile, and the honest host, on the cases in their order. A fault that was
 * refused is asked on as `thoroughness` says; its counts and its strongest case are of those asked.
 */
export function powerAt(
  profile: ProfileText,
  faults: readonly Fault[],
  cases: readonly SuiteCase[],
  thoroughness: Thoroughness = 'all',
): { powers: FaultPower[]; peace: ProfilePeace } {
  const { outputFormat, base } = profileFrom(profile);
  const eagerHost = hostOf(eagerPrecision(base === 'tf32' ? 'tf32' : outputFormat));
  const honest = running(null, honestHost(base));
  const faulty = faults
    .filter((fault) => profileOf(fault) === profile)
    .map((fault) => running(fault, faultyHost(fault)));
  for (const suiteCase of cases) {
    const built = suiteCase.build();
    const expected = expectation(built, profile);
    const eager = eagerHost(built);
    const id = suiteCase.id.slice(suiteCase.id.indexOf('/') + 1);
    const all = thoroughness === 'all' || (thoroughness === 'brief' && isCommon(id));
    ask(honest, expected, eager, id, isUsual(suiteCase, built));
    for (const one of faulty) {
      if (!all && one.killedBy > 0) continue;
      ask(one, expected, eager, id, isUsual(suiteCase, built));
    }
  }
  const powers = faulty.flatMap(({ fault, ...rest }) =>
    fault === null ? [] : [{ ...rest, fault }],
  );
  const { cases: count, killedBy: refused, all, largest } = honest;
  return { powers, peace: { profile, cases: count, refused, all, largest } };
}
