import { describe, expect, it } from 'vitest';
import type { OutputName } from '../../case/case.ts';
import { type CaseChanges, drawCase, drawing } from '../../case/draw-case.ts';
import { float64Ball } from '../../numbers/balls.ts';
import { toFlat } from '../../numbers/tensor.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { boundsOf } from '../../verdict/expectation.ts';
import { caseModel } from '../lemmas/error-model.ts';
import { profileFrom } from '../lemmas/profile-options.ts';
import { certifiedCase } from './certified.ts';
import { kernelProducts, plainProducts, rowStride } from './products.ts';

/** One key that a bias masks, but not by −∞. */
const farKey: CaseChanges['adjust'] = ({ bias }) => void bias?.set(0, 0, 1, 3, -1e9);

/** As far as the order of a sum of so few terms can move it; SLACK is a thousand million times as much. */
const ROUNDED = 2 ** -42;

describe('products with the keys of a head', () => {
  it.each([
    [1, 1, 1],
    [4, 9, 8],
    [5, 130, 7],
    [128, 140, 9],
  ])('by the kernels are those of loops: %d rows, %d keys, %d channels', (count, keys, width) => {
    const { uniform } = drawing(count);
    const drawn = (n: number) => Float64Array.from({ length: n }, () => uniform());
    const stride = rowStride(keys);
    const [rows, weights] = [drawn(count * width), drawn(count * stride)];
    const values = drawn((keys + 1) * width);
    const room = { keys, matrices: [width], sums: [width], numbers: 2 * count * stride };
    const found = [kernelProducts, plainProducts].map((engine) => {
      const { matrices, sums, take } = engine(room);
      const [given, dots] = [take(count * stride), take(count * stride)];
      given.set(weights);
      const [combined, summed] = [new Float64Array(count * width), new Float64Array(keys * width)];
      matrices[0]!.load(values, width);
      matrices[0]!.dots(rows, count, dots);
      matrices[0]!.combine(given, count, combined);
      for (let twice = 0; twice < 2; twice++) sums[0]!.add(given, rows, count);
      sums[0]!.finish(summed, 0);
      const seen = dots.filter((_, n) => n % stride < keys);
      return [...seen, ...combined, ...summed];
    });
    const [kernels, loops] = [found[0]!, found[1]!];
    expect(kernels).toHaveLength(loops.length);
    for (const [n, x] of loops.entries())
      expect(Math.abs(kernels[n]! / x - 1)).toBeLessThan(ROUNDED);
  });
});

describe('bounds composed by the kernels', () => {
  for (const [feature, changes] of FEATURE_CASES) {
    it(`are those of loops over channels, with ${feature}`, () => {
      for (const [profile, lambda] of [
        ['f32', 8],
        ['f16+sigmoid-merge', null],
      ] as const) {
        const attentionCase = drawCase(3, { ...changes, dtype: 'f32' });
        const c = certifiedCase(attentionCase, float64Ball);
        const model = caseModel(profileFrom(profile), attentionCase.parameters, lambda);
        const [byKernels, byLoops] = [kernelProducts, plainProducts].map(
          (engine) => boundsOf(c, [model], { engine })[0],
        );
        for (const name of attentionCase.parameters.wants as OutputName[]) {
          const least = toFlat(byLoops!.of(name, 2 ** -24)!);
          toFlat(byKernels!.of(name, 2 ** -24)!).forEach((bound, n) => {
            const one = least[n]!;
            const same = bound === one || Math.abs(bound / one - 1) < ROUNDED;
            expect(same, `${name} ${n}: ${bound}, ${one} by loops`).toBe(true);
          });
        }
      }
    });
  }
});

describe('the loops over a row', () => {
  /** The kernels' products, and the loops in words. */
  const inWords: typeof kernelProducts = (room) => ({ ...kernelProducts(room), rows: null });
  const CASES: readonly (readonly [string, CaseChanges])[] = [
    ...FEATURE_CASES,
    ['many keys', { seq_q: 3, seq_kv: 141 }],
    ['many keys, of which some are seen', { seq_q: 9, seq_kv: 141, window: [9, 30] }],
    ['weights that may be far off', { scale: 40, seq_kv: 21 }],
    ['weights that may be far off, some dropped', { scale: 40, dropout_rate: 0.5 }],
    ['keys far below the others', { bias: [1, 1, 4, 9], shift: 0, adjust: farKey }],
    [
      'scores beyond every number',
      { adjust: ({ q }) => void q?.set(0, 0, 2, 0, 2 ** 127), scale: 2 ** 100 },
    ],
  ];

  it.each(CASES)('give by the kernels the bits that they give in words: %s', (_, changes) => {
    for (const [profile, lambda] of [
      ['f32', 8],
      ['f16+sigmoid-merge', null],
      ['bf16+fused-kernel', null],
    ] as const) {
      const attentionCase = drawCase(3, { ...changes, dtype: 'f32' });
      const c = certifiedCase(attentionCase, float64Ball);
      const model = caseModel(profileFrom(profile), attentionCase.parameters, lambda);
      const [found, said] = [kernelProducts, inWords].map((engine) => {
        const [bounds] = boundsOf(c, [model], { engine });
        return attentionCase.parameters.wants.map((name) => [
          name,
          toFlat(bounds!.of(name, 2 ** -24)!),
        ]);
      });
      expect(found).toEqual(said);
    }
  });
});
