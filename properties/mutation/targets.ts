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
  'reference/rational.test.ts',
  'reference/gradients.test.ts',
  'properties/properties.test.ts',
];

/** The profile that truncates, rounds operands and stores halves, and the one that does none of it. */
const HONEST = ['f16', 'f32'].map((name) => `properties/honest/honest.test.ts#at ${name},`);

export const TARGETS: readonly Target[] = [
  {
    source: 'reference/attention.ts',
    tests: [
      ...['reference/operand-errors.test.ts', 'reference/sampling.test.ts'],
      ...[...ALGEBRA, 'reference/judge.test.ts'],
    ],
  },
  { source: 'reference/gradients.ts', tests: [...ALGEBRA, 'reference/sampling.test.ts'] },
  { source: 'reference/merge.ts', tests: ALGEBRA },
  {
    source: 'reference/mask.ts',
    tests: ['reference/mask.test.ts', 'reference/validate.test.ts'],
  },
  { source: 'reference/scores.ts', tests: [...ALGEBRA, 'reference/bounds.test.ts'] },
  { source: 'reference/recompute.ts', tests: ALGEBRA },
  {
    source: 'reference/judge.ts',
    tests: ['reference/judge.test.ts', 'properties/matchers.test.ts'],
  },
  {
    source: 'reference/error-model.ts',
    tests: [
      'reference/operand-errors.test.ts',
      'spec/theory/step-errors.test.ts',
      'reference/bounds.test.ts',
      'reference/range.test.ts',
    ],
  },
  {
    source: 'reference/bounds.ts',
    tests: ['reference/bounds.test.ts', 'reference/range.test.ts', ...HONEST],
  },
  {
    source: 'reference/bounds-backward.ts',
    tests: ['reference/bounds.test.ts', 'reference/range.test.ts', ...HONEST],
  },
  {
    source: 'reference/range.ts',
    tests: ['reference/range-walk.test.ts', 'reference/range.test.ts', ...HONEST],
  },
  {
    source: 'reference/within-range.ts',
    tests: ['properties/within-range.test.ts', 'reference/range.test.ts'],
  },
  { source: 'reference/safetensors.ts', tests: ['reference/safetensors.test.ts'] },
  { source: 'reference/validate.ts', tests: ['reference/validate.test.ts'] },
];
