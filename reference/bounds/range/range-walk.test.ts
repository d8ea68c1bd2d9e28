import { describe, expect, it } from 'vitest';
import type { OutputName } from '../../case/case.ts';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import { maxFinite } from '../../numbers/format.ts';
import { mapTensor, tensorOf, toFlat, zeros } from '../../numbers/tensor.ts';
import { errorModel } from '../lemmas/error-model.ts';
import { PROFILE_NAMES, PROFILES } from '../lemmas/profile.ts';
import { type ProfileLike, profileFrom } from '../lemmas/profile-options.ts';
import { beyondElements } from './range.ts';

const PLAIN = { heads: 1, seq_q: 1, seq_kv: 1, head_dim: 1, head_dim_v: 1, scale: 1 } as const;

/** Outputs with an element that the walk over all elements takes for lost. */
function lost(profile: ProfileLike, changes: CaseChanges): OutputName[] {
  const c = drawCase(4, { judging: 'structured', dtype: 'f32', ...changes });
  const { batch, heads, seq_q } = c.parameters;
  const model = errorModel(profileFrom(profile), c.parameters.dtype, null);
  const beyond = beyondElements(c, model, zeros([batch, heads, seq_q]));
  return c.parameters.wants.filter((name) => toFlat(beyond[name]!).includes(true));
}

/** Every element of an input is this number, or these in turn. */
const all =
  (given: Partial<Record<'q' | 'k' | 'v' | 'd_out' | 'sink' | 'bias', readonly number[]>>) =>
  (inputs: Parameters<NonNullable<CaseChanges['adjust']>>[0]): void => {
    for (const [name, values] of Object.entries(given)) {
      const key = name as keyof typeof given;
      const tensor = inputs[key];
      if (tensor === undefined) continue;
      let n = 0;
      inputs[key] = mapTensor(tensor, () => values[n++ % values.length] ?? 0);
    }
  };

const keepAll: CaseChanges['adjust'] = (inputs) => {
  inputs.dropout_keep = mapTensor(inputs.dropout_keep!, () => 1);
};

describe('the walk over every element', () => {
  it('takes nothing of an ordinary case for lost, at every profile and dtype', () => {
    for (const profile of PROFILE_NAMES) {
      for (const dtype of ['f64', 'f32', 'f16', 'bf16'] as const) {
        const features = { bias: [1, 2, 4, 9], sink: true, scale: 2 };
        expect([profile, dtype, lost(profile, { dtype, ...features })]).toEqual([
          profile,
          dtype,
          [],
        ]);
      }
    }
  });

  it('adds up magnitudes: dV of 16 rows, none of which overflows, with signs that cancel', () => {
    const sizes = all({ v: [2 ** -30], d_out: [2 ** 124, -(2 ** 124)] });
    expect(lost('f32', { ...PLAIN, seq_q: 16, adjust: sizes })).toEqual(['d_v']);
    expect(lost('f32', { ...PLAIN, seq_q: 1, adjust: sizes })).toEqual([]);
  });

  it('adds up each query head of a group by itself where dK and dV are stored in half', () => {
    const grouped = { ...PLAIN, heads: 2, kv_heads: 1, dtype: 'f16' } as const;
    // Twice for P and twice for the sum: 16000 may be no more than a half holds, and two heads' sum is wide.
    const large = all({ q: [0], v: [0], d_out: [40_000, -40_000] });
    expect(lost('f16', { ...grouped, adjust: large })).toEqual(['d_v']);
    expect(lost('f16', { ...grouped, kv_heads: 2, adjust: large })).toEqual([]);
    expect(lost('f32', { ...grouped, adjust: large })).toEqual([]);
    const small = all({ q: [0], v: [0], d_out: [16_000, -16_000] });
    expect(lost('f16', { ...grouped, adjust: small })).toEqual([]);
  });

  it('loses the rows whose sink or bias the storage format may not hold, and no others', () => {
    for (const name of ['sink', 'bias'] as const) {
      const shape = { ...PLAIN, gradients: false, bias: [1, 1, 1, 1], sink: true };
      const of = (x: number) => lost('f16', { ...shape, adjust: all({ [name]: [x] }) });
      expect(of(40_960)).toEqual(['out', 'lse']);
      expect(of(30_000)).toEqual([]);
    }
  });

  it('loses a row whose Q or K does not fit the operands when it is scaled', () => {
    for (const name of ['q', 'k'] as const) {
      const of = (x: number, scale: number) =>
        lost('f16', {
          ...PLAIN,
          ...{ gradients: false, scale },
          adjust: all({ q: [2 ** -10], k: [2 ** -10], [name]: [x] }),
        });
      expect(of(20_000, 1)).toEqual([]);
      expect(of(20_000, 4)).toEqual(['out', 'lse']);
    }
  });

  it('loses an output whose values overflow before the division, in that component alone', () => {
    const c = drawCase(4, {
      ...{ ...PLAIN, seq_kv: 4, head_dim_v: 2, gradients: false },
      judging: 'structured',
      adjust: (inputs) => {
        const values = [1, 2, 3, 4].flatMap((x) => [x, 2 ** 126]);
        inputs.v = tensorOf(values, [1, 1, 4, 2]);
      },
    });
    const model = errorModel(PROFILES.f32, 'f32', null);
    const { out, lse } = beyondElements(c, model, zeros([1, 1, 1]));
    expect([toFlat(out!), toFlat(lse!)]).toEqual([[false, true], [false]]);
  });

  it('loses no f16 input to its own format where its subnormals may be flushed', () => {
    const large = {
      dtype: 'f16',
      ...PLAIN,
      adjust: all({ v: [40_960] }),
      gradients: false,
    } as const;
    expect(lost('f16', large)).toEqual([]);
    expect(lost('f16+flushed-subnormals', large)).toEqual([]);
    expect(lost('f16', { ...large, dtype: 'bf16' })).toContain('out');
  });

  it('takes no dS of many keys for lost where D, an average of them, fits', () => {
    const many = { seq_kv: 600, head_dim_v: 4, seq_q: 2, dtype: 'f16' } as const;
    const peaked = [10, ...Array.from({ length: many.seq_kv - 1 }, () => 0)];
    const adjust = all({ q: [1], k: peaked, v: [4, -2, 3], d_out: [8, 8, -8, 8] });
    expect(lost('f16', { ...PLAIN, ...many, adjust })).toEqual([]);
    const large = all({ q: [0.5], k: [0.5, -0.5], v: [90, 90, 90], d_out: [90] });
    expect(
      lost('f16', { ...PLAIN, seq_kv: 2, head_dim_v: 4, dtype: 'f16', adjust: large }),
    ).toContain('d_q');
  });

  it('takes nothing for lost where a sink below every number is no sink', () => {
    const off = { ...PLAIN, seq_kv: 3, seq_q: 2, sink: true } as const;
    const sink = [-maxFinite('f32')];
    expect(lost('f32', { ...off, adjust: all({ sink }) })).toEqual([]);
    expect(lost('f32', { ...off, adjust: all({ sink: [maxFinite('f32')] }) })).toContain('out');
    // Without a key beside it, it is the maximum, and NaN where it became −∞.
    expect(lost('f32', { ...off, seq_kv: 0, adjust: all({ sink }) })).toContain('lse');
  });

  it('loses a kept weight that a lazy maximum leaves too large for the operands', () => {
    const kept = {
      ...PLAIN,
      dtype: 'f16',
      dropout_rate: 0.99,
      gradients: false,
      adjust: keepAll,
    } as const;
    expect(lost('f16', kept)).toEqual([]);
    expect(lost('f16+lazy-maximum', kept)).toContain('out');
  });
});
