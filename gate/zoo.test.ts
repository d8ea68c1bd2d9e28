import { describe, expect, it } from 'vitest';
import { type Fault, faultyHost, profileOf } from '../properties/zoo/fault.ts';
import { faultNames, loadFault, loadZoo } from '../properties/zoo/zoo.ts';
import type { ProfileName } from '../reference/bounds/lemmas/profile.ts';
import { type Expectation, expectation } from '../reference/verdict/expectation.ts';
import { judgeAgainst } from '../reference/verdict/judge.ts';
import { given, PROFILE_DTYPE } from './power/measure.ts';
import { type SuiteCase, suite } from './suite.ts';

const zoo = await loadZoo();
const SEED = 1;
const suites = new Map<ProfileName, SuiteCase[]>();
function core(profile: ProfileName): SuiteCase[] {
  const known = suites.get(profile) ?? suite('core', PROFILE_DTYPE[profile], { seed: SEED });
  suites.set(profile, known);
  return known;
}

const expectations = new Map<string, Expectation>();
function expected(one: SuiteCase, profile: ProfileName): Expectation {
  const key = `${profile} ${one.id}`;
  const known = expectations.get(key) ?? expectation(one.build(), profile);
  expectations.set(key, known);
  return known;
}

/** The verdict on the case that shows the fault; `before`: after all the cases that stand before it. */
function verdictOn(fault: Fault, before: boolean): string {
  const cases = core(profileOf(fault));
  const at = cases.findIndex(({ id }) => id === `core/${fault.shownBy}`);
  expect(at, `${fault.name}: no case core/${fault.shownBy}`).toBeGreaterThanOrEqual(0);
  const host = faultyHost(fault);
  if (before) for (const one of cases.slice(0, at)) host(one.build());
  const known = expected(cases[at]!, profileOf(fault));
  return judgeAgainst(known, given(host(known.attentionCase))).verdict;
}

describe('the zoo', () => {
  it('has at least 300 faults, each under the name of its file, with its reason where unseen', () => {
    expect(zoo.length).toBeGreaterThanOrEqual(300);
    expect(zoo.map(({ name }) => name)).toEqual(faultNames());
    for (const { name, wrong, shownBy, unseen } of zoo) {
      expect(wrong, name).toMatch(/^\S.{5,160}\.$/u);
      expect(shownBy === null, name).toBe(unseen !== undefined);
    }
  });

  it('names a fault that there is not', async () => {
    await expect(loadFault('../host')).rejects.toThrow('expected the name of a fault');
  });

  it('has every fault but those listed refused by the case that is said to show it', () => {
    const passed = zoo
      .filter(({ shownBy }) => shownBy !== null)
      .filter((fault) => verdictOn(fault, false) === 'pass' && verdictOn(fault, true) === 'pass');
    expect(passed.map(({ name }) => name)).toEqual([]);
  });
});
