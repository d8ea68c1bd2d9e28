import { describe, expect, it } from 'vitest';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import { referenceOutputs } from '../../definition/reference.ts';
import { forEachIndex, mapTensor, toFlat } from '../../numbers/tensor.ts';
import { expectation } from '../../verdict/expectation.ts';
import { judge } from '../../verdict/judge.ts';
import type { ProfileName } from '../lemmas/profile.ts';

/** Outputs with an element that has no finite bound. */
function unbounded(profile: ProfileName, changes: CaseChanges): string[] {
  const c = drawCase(4, { judging: 'structured', ...changes });
  const { worstCase } = expectation(c, profile);
  return c.parameters.wants.filter((name) =>
    toFlat(worstCase.of(name, 2 ** -24)!).includes(Number.POSITIVE_INFINITY),
  );
}

/** Multiplies an input by a power of two. */
const times =
  (name: 'q' | 'k' | 'v' | 'd_out' | 'd_lse', factor: number): NonNullable<CaseChanges['adjust']> =>
  (inputs) => {
    inputs[name] = mapTensor(inputs[name]!, (x) => x * factor);
  };

describe('range', () => {
  it('leaves ordinary cases alone, at every profile', () => {
    for (const profile of ['f64', 'f32', 'tf32', 'f16', 'bf16'] as const) {
      expect(unbounded(profile, { dtype: profile === 'tf32' ? 'f32' : profile })).toEqual([]);
    }
  });

  it('knows that dS may overflow as a half, where f32 holds it', () => {
    const changes: CaseChanges = { dtype: 'f16', seq_kv: 1, adjust: times('d_lse', 2 ** 14) };
    expect(unbounded('f16', changes)).toEqual(['d_q', 'd_k']);
    expect(unbounded('f32', changes)).toEqual([]);
  });

  it('knows that scores, sums of values and products of cotangents may overflow f32', () => {
    expect(unbounded('f32', { adjust: times('q', 2 ** 126) })).toContain('lse');
    expect(unbounded('f32', { adjust: times('v', 2 ** 125) })).toContain('out');
    expect(unbounded('f32', { adjust: times('v', 2 ** 125) })).not.toContain('lse');
    expect(unbounded('f64', { adjust: times('v', 2 ** 125) })).toEqual([]);
    const large = unbounded('f32', { adjust: times('d_out', 2 ** 125) });
    expect(large).toContain('d_q');
    expect(large).not.toContain('out');
  });

  it('counts what it cannot judge, lets it pass, and still judges the rest', () => {
    const c = drawCase(4, {
      dtype: 'f16',
      judging: 'structured',
      seq_kv: 1,
      adjust: times('d_lse', 2 ** 14),
    });
    const bound = expectation(c, 'f16').worstCase.of('d_q', 2 ** -24)!;
    const given = (change: (outputs: ReturnType<typeof referenceOutputs>) => void) => {
      const outputs = referenceOutputs(c);
      change(outputs);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [name, { dtype: 'F32', tensor }]),
      );
    };
    const lost = given(({ d_q }) => {
      forEachIndex(bound.shape, (at) => {
        if (bound.get(...at) === Number.POSITIVE_INFINITY) d_q!.set(...at, Number.NaN);
      });
    });
    expect(judge(c, lost, 'f16').verdict).toBe('pass');
    expect(judge(c, lost, 'f16').reason).toMatch(
      /\d+ elements may overflow on the way at f16 \(d_q.* …; expected values from .*\), not judged/,
    );
    expect(judge(c, lost, 'f32').verdict).toBe('impossible');
    const wrong = given(({ out }) => out!.set(0, 0, 0, 0, Number.NaN));
    expect(judge(c, wrong, 'f16').verdict).toBe('impossible');
  });
});

describe('inputs rounded near zero', () => {
  it('may be half a subnormal of the operand format off: f32 values under the f16 profile', () => {
    const c = drawCase(4, {
      gradients: false,
      judging: 'structured',
      seq_kv: 1,
      adjust: times('v', 2 ** -22),
    });
    // One key: O = V. Rounded to f16 as an input, and the product with P = 1 once more on the way out.
    const step = 2 ** -24;
    const out = mapTensor(referenceOutputs(c).out!, (x) => Math.round(x / step) * step);
    const lse = referenceOutputs(c).lse!;
    const given = { out: { dtype: 'F16', tensor: out }, lse: { dtype: 'F32', tensor: lse } };
    expect(judge(c, given, 'f16').verdict).toBe('pass');
    expect(judge(c, given, 'f32').verdict).toBe('impossible');
    const { worstCase } = expectation(c, 'f16');
    const [bound, ...rest] = toFlat(worstCase.of('out', 2 ** -24)!);
    expect([bound!, ...rest].every((x) => x >= 2 * 2 ** -25 && x < 8 * 2 ** -25)).toBe(true);
  });
});
