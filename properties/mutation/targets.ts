/**
 * What is mutated, and which tests must notice: the sources of the reference that judging rests on.
 * @module
 */

/** A source and the tests that speak about it, quickest first: a file, or `file#name of a test`. */
export interface Target {
  readonly source: string;
  readonly tests: readonly string[];
}

const ALGEBRA = [
  'reference/definition/rational.test.ts',
  'reference/definition/gradients.test.ts',
  'properties/properties.test.ts',
];

/** The profile that truncates, rounds operands and stores halves, and the one that does none of it. */
const HONEST = ['f16', 'f32'].map((name) => `properties/honest/honest.test.ts#at ${name},`);

export const TARGETS: readonly Target[] = [
  {
    source: 'reference/definition/attention.ts',
    tests: [
      ...['reference/bounds/by-pair/operand-errors.test.ts', 'reference/case/sampling.test.ts'],
      ...[...ALGEBRA, 'reference/verdict/judge.test.ts'],
    ],
  },
  {
    source: 'reference/definition/gradients.ts',
    tests: [...ALGEBRA, 'reference/case/sampling.test.ts'],
  },
  { source: 'reference/definition/merge.ts', tests: ALGEBRA },
  {
    source: 'reference/case/mask.ts',
    tests: ['reference/case/mask.test.ts', 'reference/case/validate.test.ts'],
  },
  {
    source: 'reference/definition/scores.ts',
    tests: [...ALGEBRA, 'reference/bounds/by-pair/bounds.test.ts'],
  },
  { source: 'reference/definition/recompute.ts', tests: ALGEBRA },
  {
    source: 'reference/verdict/judge.ts',
    tests: ['reference/verdict/judge.test.ts', 'properties/matchers.test.ts'],
  },
  {
    source: 'reference/bounds/lemmas/error-model.ts',
    tests: [
      'reference/bounds/by-pair/operand-errors.test.ts',
      'spec/theory/step-errors.test.ts',
      'reference/bounds/by-pair/bounds.test.ts',
      'reference/bounds/range/range.test.ts',
    ],
  },
  {
    source: 'reference/bounds/by-pair/bounds.ts',
    tests: [
      'reference/bounds/by-pair/bounds.test.ts',
      'reference/bounds/range/range.test.ts',
      ...HONEST,
    ],
  },
  {
    source: 'reference/bounds/by-pair/bounds-backward.ts',
    tests: [
      'reference/bounds/by-pair/bounds.test.ts',
      'reference/bounds/range/range.test.ts',
      ...HONEST,
    ],
  },
  {
    source: 'reference/bounds/range/range.ts',
    tests: [
      'reference/bounds/range/range-walk.test.ts',
      'reference/bounds/range/range.test.ts',
      ...HONEST,
    ],
  },
  {
    source: 'reference/bounds/range/within-range.ts',
    tests: ['properties/within-range.test.ts', 'reference/bounds/range/range.test.ts'],
  },
  { source: 'reference/files/safetensors.ts', tests: ['reference/files/safetensors.test.ts'] },
  { source: 'reference/case/validate.ts', tests: ['reference/case/validate.test.ts'] },
];
