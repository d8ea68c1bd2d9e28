import { randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { type Fault, faultyHost, profileOf } from '../properties/zoo/fault.ts';
import * as roundings from '../properties/zoo/tables/roundings.ts';
import * as slightly from '../properties/zoo/tables/slightly.ts';
import * as tails from '../properties/zoo/tables/tails.ts';
import { faultNames, loadFault, loadZoo, sourceOf } from '../properties/zoo/zoo.ts';
import { type ProfileText, profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import { type Expectation, expectation } from '../reference/verdict/expectation.ts';
import { judgeAgainst } from '../reference/verdict/judge.ts';
import { given, PROFILE_DTYPE } from './power/measure.ts';
import { type SuiteCase, suite } from './suite.ts';

const zoo = await loadZoo();
const SEED = 1;
const suites = new Map<string, SuiteCase[]>();
function core(profile: ProfileText, seed: number): SuiteCase[] {
  const key = `${profile} ${seed}`;
  const known =
    suites.get(key) ?? suite('core', PROFILE_DTYPE[profileFrom(profile).base], { seed });
  suites.set(key, known);
  return known;
}

const expectations = new Map<SuiteCase, Expectation>();
function expected(one: SuiteCase, profile: ProfileText): Expectation {
  const known = expectations.get(one) ?? expectation(one.build(), profile);
  expectations.set(one, known);
  return known;
}

/** The verdict on the case that shows the fault; `before`: after all the cases that stand before it. */
function verdictOn(fault: Fault, seed: number, before: boolean): string {
  const cases = core(profileOf(fault), seed);
  const at = cases.findIndex(({ id }) => id === `core/${fault.shownBy}`);
  expect(at, `${fault.name}: no case core/${fault.shownBy}`).toBeGreaterThanOrEqual(0);
  const host = faultyHost(fault);
  if (before) for (const one of cases.slice(0, at)) host(one.build());
  const known = expected(cases[at]!, profileOf(fault));
  return judgeAgainst(known, given(host(known.attentionCase))).verdict;
}

const shown = zoo.filter(({ shownBy }) => shownBy !== null);

/** Faults that pass the case that is said to show them, asked alone and after others. */
const passing = (faults: readonly Fault[], seed: number): string[] =>
  faults
    .filter((fault) => [false, true].every((before) => verdictOn(fault, seed, before) === 'pass'))
    .map(({ name }) => name);

/** Seeds and faults of this run, another draw each time: XATTN_ZOO_SEED=N repeats one. */
const DRAW = Number(process.env.XATTN_ZOO_SEED ?? randomInt(2 ** 31));
const SHARE = 20;

function drawn(): { seeds: number[]; faults: Fault[] } {
  const generator = xoroshiro128plus(DRAW);
  const seeds = Array.from({ length: 3 }, () => uniformInt(generator, 2, 2 ** 31 - 1));
  const left = [...shown];
  const faults = Array.from({ length: Math.min(SHARE, left.length) }, () =>
    left.splice(uniformInt(generator, 0, left.length - 1), 1),
  );
  return { seeds, faults: faults.flat() };
}

/** Files of faults and rows of tables: fewer names than these are two faults under one. */
const FILES = readdirSync(new URL('../properties/zoo/faults/', import.meta.url)).length;
const ROWS = [...roundings.FAULTS, ...slightly.FAULTS, ...tails.FAULTS].length;

describe('the zoo', () => {
  it('has at least 300 faults, each under one name and the name of its file or table, with its reason where unseen', () => {
    expect(zoo.length).toBeGreaterThanOrEqual(300);
    expect(zoo.map(({ name }) => name)).toEqual(faultNames());
    expect(new Set(zoo).size).toBe(zoo.length);
    expect(faultNames().length).toBe(FILES + ROWS);
    for (const { name } of zoo) {
      const source = new URL(`../properties/zoo/${sourceOf(name)}`, import.meta.url);
      expect(existsSync(source), name).toBe(true);
    }
    for (const { name, wrong, shownBy, unseen } of zoo) {
      expect(wrong, name).toMatch(/^\S.{5,160}\.$/u);
      expect(shownBy === null, name).toBe(unseen !== undefined);
    }
  });

  it('names a fault that there is not', async () => {
    await expect(loadFault('../host')).rejects.toThrow('expected the name of a fault');
  });

  it('has every fault but those listed refused by the case that is said to show it', () => {
    expect(passing(shown, SEED)).toEqual([]);
  });

  it(`has them refused whatever the suite's seed is: drawn by XATTN_ZOO_SEED=${DRAW}`, () => {
    const { seeds, faults } = drawn();
    expect(faults.length).toBe(SHARE);
    for (const seed of seeds)
      expect({ seed, passed: passing(faults, seed) }).toEqual({ seed, passed: [] });
  });
});
