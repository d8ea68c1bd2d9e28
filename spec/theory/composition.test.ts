/**
 * Whole functions: the bounds of every output of a case, as bounds.ts and bounds-backward.ts compose
 * them, against the theorems' own composition (composition.ts), on cases of every feature and drawn
 * error models. A slack of 0, a maximum that became a minimum, a sink left out make this fail, in the
 * program or in a theorem.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CertifiedCase, certifiedCase } from '../../reference/bounds/by-pair/certified.ts';
import {
  type ErrorModel,
  referenceModel,
  SLACK,
} from '../../reference/bounds/lemmas/error-model.ts';
import type { OutputName } from '../../reference/case/case.ts';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import { doubleDoubleBall } from '../../reference/numbers/balls.ts';
import { exp } from '../../reference/numbers/float64.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { FEATURE_CASES } from '../../reference/testing/feature-cases.ts';
import { boundsOf } from '../../reference/verdict/expectation.ts';
import { constantsChanged } from './agree.ts';
import { statements, theoremBounds } from './composition.ts';
import type { CoqStatements } from './coq-terms.ts';

/**
 * What the program adds for its own float64 rounding: SLACK once, and where weights may be far off
 * twice more, in the exponent of a weight (bounds.md §6; of a row of masked keys alone some 50); magnitudes are rounded up by some 2⁻⁵⁰, which
 * cancellation and the flat part of tanh make larger.
 */
const LEAST = SLACK * (1 - 2 ** -40);
const MOST = 1 + 2 ** -14;

/** Roundoffs, and those of what is stored: few keys near the largest that is proved, and far below. */
const SIZES = [
  [2 ** -10, 2 ** -13],
  [2 ** -13, 2 ** -6],
  [2 ** -16, 2 ** -6],
  [2 ** -24, 2 ** -13],
] as const;

/** A model whose every roundoff is another number. */
function modelOf([size, coarse]: readonly [number, number], seed: number): ErrorModel {
  const part = fc.double({ min: 1 / 2, max: 1, noNaN: true });
  const [parts = []] = fc.sample(fc.array(part, { minLength: 16, maxLength: 16 }), {
    ...{ seed, numRuns: 1 },
  });
  const u = (n: number): number => size * (parts[n] ?? 1);
  const tiny = (n: number): number => 2 ** -6 * u(n);
  const accumulation = u(0);
  const headroom = 4 * (parts[14] ?? 1);
  return {
    ...{ ...referenceModel(u(0), tiny(1)), accumulation, operand: u(2), scaledOperand: u(2) },
    ...{
      scores: u(3),
      exponential: accumulation * (parts[4] ?? 1),
      probabilities: u(5),
      output: u(6),
    },
    ...{ tanh: u(7), input: u(8), stored: coarse * (parts[9] ?? 1), operandTiny: tiny(10) },
    ...{ outputTiny: tiny(11), inputTiny: tiny(12), storedTiny: tiny(13) },
    // Partial outputs are stored in every third model.
    ...(seed % 3 === 1 ? { partial: u(14), partialTiny: tiny(15) } : {}),
    // Weights are rounded before they are summed in every fifth.
    ...(seed % 5 === 2
      ? { summed: u(5), summedTiny: tiny(10), weightTiny: tiny(1) + tiny(10) }
      : {}),
    // Maxima lag in every fourth, none of whose rows are Far rows: there is no bound of those then.
    ...(seed % 4 === 0 ? { headroom, rescaledTiny: tiny(1) * exp(headroom) } : {}),
  };
}

const SMALL: CaseChanges = { seq_q: 2, seq_kv: 4, head_dim: 2, head_dim_v: 2, bias: [1, 1, 2, 4] };
/** Much at once; weights that may be far off, where a bias is stored coarsely; keys masked by a bias. */
const FURTHER: readonly CaseChanges[] = [
  { ...SMALL, softcap: 2, sink: true, dropout_rate: 0.25, dim_y: 3, dLse: true },
  ...[3, 30, 100].map((shift) => ({ ...SMALL, shift, sink: true })),
  ...[-40, -60, -1e4, -1e9].map(
    (low): CaseChanges => ({
      ...SMALL,
      sink: low < -1000,
      adjust: ({ bias }) => {
        for (let i = 0; i < 2; i++) for (let j = i; j < 4; j += 2) bias?.set(0, 0, i, j, low);
      },
    }),
  ),
  // A sink that is larger than anything else, and stored coarsely.
  { ...SMALL, sink: true, adjust: ({ sink }) => sink?.set(0, -60) },
];

type Sample = readonly [CertifiedCase, ErrorModel];

function sampleOf(changes: CaseChanges, sizes: (typeof SIZES)[number], seed: number): Sample {
  const given = { dLse: seed % 2 === 0, ...changes };
  const { seq_q, seq_kv } = drawCase(seed, given).parameters;
  const ranks = 1 + (seed % 5);
  const first = (total: number): number[] => [total, ...Array<number>(ranks - 1).fill(0)];
  const partition = { ranks, q: first(seq_q), kv: first(seq_kv) };
  const c = certifiedCase(drawCase(seed, { ...given, partition }), doubleDoubleBall);
  return [c, modelOf(sizes, seed)];
}

/** The same under a model that grants merges that subtract; none has a Far row, of which there is no bound then. */
const subtracting = ([c, m]: Sample): Sample => [c, { ...m, subtractsInMerges: true }];

/** Small cases with every size of roundoffs; and one of each feature. */
const small = SIZES.map((sizes, n) => FURTHER.map((one, k) => sampleOf(one, sizes, 10 * n + k)));
const few: readonly Sample[] = [
  ...small.flat(),
  ...[small[1]!.slice(0, 5), small[2]!.slice(3, 5), small[3]!.slice(6, 7), small[3]!.slice(-1)]
    .flat()
    .map(subtracting),
];
const features = FEATURE_CASES.map(([, changes], n) => sampleOf(changes, SIZES[1 + (n % 3)]!, n));
const samples: readonly Sample[] = [
  ...few,
  ...features,
  ...features.filter((_, n) => n % 4 === 3).map(subtracting),
];

/** Where the two differ, or null: where nothing is summed the program says 0. */
function difference(
  program: (name: OutputName) => readonly number[],
  theorem: ReadonlyMap<OutputName, readonly number[]>,
): string | null {
  for (const [name, list] of theorem) {
    for (const [n, got] of program(name).entries()) {
      const wanted = list[n] ?? 0;
      if (wanted === Number.POSITIVE_INFINITY && got === wanted) continue;
      if (Number.isNaN(wanted)) throw new Error(`${name}[${n}] is no number by theorem`);
      const within = wanted * LEAST <= got && got <= wanted * MOST;
      if (!within) return `${name}[${n}]: ${got} in the program, ${wanted} by theorem`;
    }
  }
  return null;
}

function programBounds(c: CertifiedCase, m: ErrorModel): (name: OutputName) => number[] {
  const [bounds] = boundsOf(c, [m]);
  return (name) => toFlat(bounds!.of(name, 0)!);
}

/** Definitions that step-errors.test.ts holds one by one, and theorems on the way to the composed ones. */
const STEPS = [
  ...['weight_bound', 'far_bound', 'far_weight'],
  ...['weight_rounding', 'weight_error', 'quotient', 'divided_error', 'hull_error', 'least_weight'],
  ...['wide_lse_error', 'unrounded_error', 'converted_error'],
].map((name) => `AttentionBound.${name}`);

describe('the bounds of a case', () => {
  const programs = samples.map(([c, m]) => programBounds(c, m));

  it('are those that the theorems conclude', () => {
    const coq = statements();
    const decided = new Set<string>();
    for (const [n, [c, m]] of samples.entries()) {
      const { bounds, used } = theoremBounds(coq, c, m);
      expect(difference(programs[n]!, bounds)).toBeNull();
      for (const theorem of used) decided.add(theorem);
    }
    const ofRows = ['row_bound', 'row_bound_wide', 'row_hull'];
    const theorems = [
      'far_row_lse',
      'row_average',
      ...ofRows,
      ...ofRows.map((n) => `sigmoid_${n}`),
    ];
    expect([...decided].sort()).toEqual(theorems);
  });

  /** Every definition and conclusion that is composed, with one number or one maximum changed. */
  function* changes(coq: CoqStatements): Generator<readonly [string, string]> {
    const composed = coq.names().filter((one) => /^(Attention|Sigmoid|Backward)Bound/.test(one));
    for (const name of composed.filter((one) => !STEPS.includes(one))) {
      const text = coq.text(name);
      const at = /^fun/.test(text) ? 0 : text.lastIndexOf('->');
      const [before, after] = [text.slice(0, at), text.slice(at)];
      const others = [...constantsChanged(after)];
      if (after.includes('Rmax')) others.push(after.replace('Rmax', 'Rmin'));
      for (const other of others) yield [name, before + other];
    }
  }

  /** Parts of far keys in rows whose other weights may be far off: below what the comparison sees; a hypothesis. */
  const UNSEEN = [
    ...Array<string>(3).fill('AttentionBound.row_hull'),
    'SigmoidBound.part',
    ...Array<string>(3).fill('SigmoidBound.sigmoid_row_hull'),
  ];

  it('differ as soon as any one number of a composition is another, or a maximum a minimum', () => {
    const alike: string[] = [];
    let count = 0;
    for (const [name, text] of changes(statements())) {
      const coq = statements({ [name]: text });
      const found = few.some((sample, n) => {
        const { bounds } = theoremBounds(coq, ...sample);
        return difference(programs[n]!, bounds) !== null;
      });
      if (!found) alike.push(name);
      count++;
    }
    expect(alike.sort()).toEqual(UNSEEN);
    expect(count).toBeGreaterThan(20);
  });
});
