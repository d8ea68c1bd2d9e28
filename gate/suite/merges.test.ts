/** The suite `merge`: honest programs pass it, faults of merging do not. */
import { describe, expect, it } from 'vitest';
import { faultyHost, profileOf } from '../../properties/zoo/fault.ts';
import { honestHost } from '../../properties/zoo/host.ts';
import { loadZoo } from '../../properties/zoo/zoo.ts';
import { PROFILE_NAMES } from '../../reference/bounds/lemmas/profile.ts';
import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import { DTYPES, type Dtype, type Outputs } from '../../reference/case/case.ts';
import { featureWords } from '../../reference/case/features.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { type Expectation, expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeAgainst } from '../../reference/verdict/judge.ts';
import { suite } from '../suite.ts';

const given = (outputs: Outputs): GivenOutputs =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name, { dtype: 'F64', tensor }]),
  );

const dtypeOf = (profile: (typeof PROFILE_NAMES)[number]): Dtype =>
  profile === 'tf32' ? 'f32' : profile;

const expectations = new Map<string, Expectation[]>();
function expected(profile: Parameters<typeof profileFrom>[0]): Expectation[] {
  const { name, base } = profileFrom(profile);
  const known =
    expectations.get(name) ??
    suite('merge', dtypeOf(base), { seed: 3 })
      .map((one) => one.build())
      .filter((c) => c.parameters.dtype === dtypeOf(base))
      .map((c) => expectation(c, profile));
  expectations.set(name, known);
  return known;
}

const zoo = await loadZoo();
const ofMerges = zoo.filter((fault) => {
  const { merge, part } = fault.seams();
  return merge !== undefined || part !== undefined;
});
/** Of attention: what they do wrong is not done to parts. */
const NOT_OF_PARTS = ['delta-per-shard', 'sink-not-in-lse'];

describe('the suite merge', () => {
  it('is valid in every dtype, each id once, and says what it needs', () => {
    for (const dtype of DTYPES) {
      const cases = suite('merge', dtype);
      expect(cases.length).toBeGreaterThan(20);
      expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
      for (const one of cases) {
        const built = one.build();
        expect(built.parameters.id).toBe(one.id);
        expect(featureWords(built).filter((word) => word !== 'poison')).toEqual([
          'merge',
          built.parameters.dtype,
        ]);
      }
    }
  });

  it('has a part in core, which only who says "merge" is asked', () => {
    const core = suite('core', 'f32').filter(({ id }) => id.startsWith('core/merge/'));
    expect(core.length).toBeGreaterThan(8);
    for (const one of core) expect(featureWords(one.build())).toContain('merge');
  });

  it('has other numbers at another seed', () => {
    const bits = (seed: number) => toFlat(suite('merge', 'f32', { seed })[0]!.build().inputs.outs!);
    expect(bits(1)).toEqual(bits(1));
    expect(bits(1)).not.toEqual(bits(2));
  });

  for (const profile of PROFILE_NAMES) {
    it(`is passed by an honest program at ${profile}, with a bound for every element`, () => {
      const host = honestHost(profile);
      for (const one of expected(profile)) {
        const { verdict, reason } = judgeAgainst(one, given(host(one.attentionCase)));
        const { id } = one.attentionCase.parameters;
        expect(`${id} ${verdict}: ${reason}`).toBe(`${id} pass: within the bounds`);
      }
    });
  }

  it.each(
    ofMerges
      .filter(({ name }) => !NOT_OF_PARTS.includes(name))
      .map((fault) => [fault.name, fault] as const),
  )('refuses %s', (_, fault) => {
    const host = faultyHost(fault);
    const refused = expected(profileOf(fault)).filter((one) =>
      isFailure(judgeAgainst(one, given(host(one.attentionCase))).verdict),
    );
    expect(refused.length).toBeGreaterThan(0);
  });

  it('knows faults of merging', () => {
    expect(ofMerges.length).toBeGreaterThan(18);
  });
});
