import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { honestOutputs } from '../honest/candidate.ts';
import { choicesArbitrary } from '../honest/choices.ts';
import { PRECISIONS } from '../zoo/host/precision.ts';
import type { Seams } from '../zoo/host/seams.ts';
import { hostOf } from '../zoo/host.ts';
import { gradientTimes, keyLost, scaleTimes, scoreGradientTimes } from '../zoo/tables/slightly.ts';
import { denseCase } from './dense.ts';
import { fits, IMPROBABLE, prepare, SUSPICIOUS, sentenceOf, standings } from './functionals.ts';

const FUSED = profileFrom('bf16+fused-kernel');
const shape = {
  dtype: 'bf16',
  seq_q: 8,
  seq_kv: 16,
  head_dim: 16,
  head_dim_v: 16,
  scale: 0.25,
} as const;
const CASE = drawCase(7, { ...shape, heads: 4, kv_heads: 2 });
const PREPARED = prepare(CASE, FUSED);

function faulty(seams: Partial<Seams>): GivenOutputs {
  const outputs = hostOf(PRECISIONS.bf16, seams)(CASE);
  const named = Object.entries(outputs).map(([name, tensor]) => [name, { dtype: 'F64', tensor }]);
  return Object.fromEntries(named);
}

describe('functionals', () => {
  it('are of the exact answer', () => {
    const c = drawCase(3, {
      ...{ seq_q: 3, seq_kv: 6, heads: 2, softcap: 2, sink: true, dropout_rate: 0.5 },
      ...{ bias: [1, 1, 3, 6], mask: [1, 1, 3, 6], dLse: true },
    });
    const [dense, { values }] = [denseCase(c), expectation(c, 'f64')];
    for (const [name, exact] of Object.entries(dense.exact)) {
      toFlat(values[name as keyof typeof dense.exact]!).forEach((x, n) => {
        expect(Math.abs(x - exact[n]!)).toBeLessThan(1e-13);
      });
    }
  });

  it.each(['bf16+fused-kernel', 'f16+fused-kernel'] as const)(
    'call no honest program of %s suspicious',
    (name) => {
      const profile = profileFrom(name);
      const choices = fc.sample(choicesArbitrary(profile), { numRuns: 12, seed: 11 });
      for (const [n, chosen] of choices.entries()) {
        const c = drawCase(100 + n, {
          ...shape,
          dtype: profile.base === 'f16' ? 'f16' : 'bf16',
          seq_q: 3,
          seq_kv: 7,
          sink: true,
        });
        const [first] = standings(prepare(c, profile), honestOutputs(c, profile, chosen));
        expect(Math.abs(first!.z)).toBeLessThan(SUSPICIOUS);
      }
    },
  );

  it.each([
    ['a scale 2 % too large', scaleTimes(1.02), /scale|size/],
    ['dS 2 % too small', scoreGradientTimes(0.98), /^size/],
    ['dQ 2 % too large', gradientTimes('d_q', 1.02), /^size/],
    ['one key', keyLost(5, 1), /^key 5$/],
  ] as const)('refuse %s, and tell it', (_, seams, fault) => {
    const [first] = standings(PREPARED, faulty(seams));
    expect(Math.abs(first!.z)).toBeGreaterThan(IMPROBABLE);
    expect(first!.fault).toMatch(fault);
  });

  it('ask nothing where a bias of −2³⁰ is all that a row has', () => {
    const adjust: CaseChanges['adjust'] = ({ bias }) => {
      for (let j = 0; j < 16; j++) bias?.set(0, 0, 2, j, -(2 ** 30));
    };
    const far = drawCase(7, { ...shape, bias: [1, 1, 8, 16], adjust });
    expect(prepare(far, FUSED).functionals).toEqual([]);
    const some = drawCase(7, { ...shape, bias: [1, 1, 8, 16] });
    expect(prepare(some, FUSED).functionals.length).toBeGreaterThan(10);
  });

  it('say by how much', () => {
    const [first] = standings(PREPARED, faulty(gradientTimes('d_q', 1.02)));
    expect(first).toMatchObject({ output: 'd_q', fault: 'size' });
    expect(Math.abs(first!.size - 0.02)).toBeLessThan(0.004);
    expect(sentenceOf(first!)).toMatch(/^d_q leans as if it were [12](\.\d)? % too large: z = \d+/);
    expect(Math.abs(standings(PREPARED, faulty({}))[0]!.z)).toBeLessThan(3);
  });

  it('are for random cases of a half profile alone', () => {
    const has = (changes: Parameters<typeof drawCase>[1], profile = 'bf16+fused-kernel') =>
      fits(drawCase(1, { dtype: 'bf16', ...changes }), profileFrom(profile as 'bf16'));
    expect(has({})).toBe(true);
    expect(has({ judging: 'structured' })).toBe(false);
    expect(has({ dtype: 'f32' })).toBe(false);
    expect(has({ dropout_rate: 0.25 })).toBe(false);
    expect(has({ dropout_rate: 0.5 })).toBe(true);
    expect(has({ dim_y: 4 })).toBe(false);
    expect(has({}, 'bf16')).toBe(false);
    expect(has({}, 'bf16+sigmoid-merge+fused-kernel')).toBe(false);
    expect(has({ dtype: 'f32' }, 'f32')).toBe(false);
  });
});
