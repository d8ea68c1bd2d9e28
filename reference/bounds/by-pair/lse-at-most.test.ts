import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { float64Ball } from '../../numbers/balls.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { boundsOf } from '../../verdict/expectation.ts';
import { caseModel } from '../lemmas/error-model.ts';
import { profileFrom } from '../lemmas/profile-options.ts';
import { largest } from '../range/range-limits.ts';
import { certifiedCase } from './certified.ts';
import { compose } from './composition.ts';

describe('the largest error of an LSE, from the largest magnitudes of its row', () => {
  const PROFILES = ['f32', 'bf16', 'f16+sigmoid-merge+lazy-maximum', 'f64'] as const;

  /** What is said of it and what it is, of each profile. */
  const both = (changes: Parameters<typeof drawCase>[1]) =>
    PROFILES.map((profile) => {
      const attentionCase = drawCase(3, { ...changes, dtype: 'f32' });
      const c = certifiedCase(attentionCase, float64Ball);
      const model = caseModel(profileFrom(profile), attentionCase.parameters, null);
      const { lseAtMost } = compose(c, [], { alsoUnder: model });
      return [lseAtMost, largest(boundsOf(c, [model])[0]!.lseAsSummed)] as const;
    });

  it.each(FEATURE_CASES)('is never less: %s', (_, changes) => {
    for (const [said, is] of both(changes)) expect(said).toBeGreaterThanOrEqual(is);
  });

  it('says something, and not much more, of ordinary rows', () => {
    for (const changes of [{}, { sink: true }, { softcap: 2 }, { bias: [1, 2, 4, 9] }]) {
      for (const [said, is] of both(changes)) expect(said / is).toBeLessThan(4);
    }
  });

  it('says nothing where a key is far below the others', () => {
    const masked = { bias: [1, 1, 4, 9], shift: 0 };
    const of = (low: number) =>
      both({ ...masked, adjust: ({ bias }) => void bias?.set(0, 0, 1, 3, low) })[0]![0];
    expect(of(-700)).toBeLessThan(1);
    expect(of(-900)).toBe(Number.POSITIVE_INFINITY);
  });
});
