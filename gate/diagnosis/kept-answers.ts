/**
 * Answers of a run, kept for the diagnosis as they came. What was expected of a passing one, and how far off it may
 * be, is worked out again if it is looked at, so that a run in which nothing fails pays nothing. Memory is bounded:
 * what does not fit is not kept, passing cases first.
 * @module
 */
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { type AttentionCase, type OutputName, wantsGradients } from '../../reference/case/case.ts';
import { type GivenOutputs, STORED } from '../../reference/case/given.ts';
import { unitRoundoff } from '../../reference/numbers/format.ts';
import { elementCount, toFlat } from '../../reference/numbers/tensor.ts';
import type { Expectation } from '../../reference/verdict/expectation.ts';
import { expectationFor, isFailure } from '../../reference/verdict/judge.ts';
import type { Compared, Seen } from '../run-suite.ts';
import { type Asked, type Facts, factsOf, shapesOf } from './facts.ts';

/** One output in row-major arrays. */
export interface KeptOutput {
  readonly name: OutputName;
  readonly shape: readonly number[];
  /** The format it came in, by its safetensors name. */
  readonly stored: string;
  readonly got: Float64Array;
  readonly expected: Float64Array;
  /** How far off the judge lets it be; Infinity where it asks for a finite number alone, NaN for nothing. */
  readonly decides: Float64Array;
  /** The same, but of exact cases what rounding may do to a wrong answer. */
  readonly allows: Float64Array;
}

export interface KeptAnswer {
  readonly id: string;
  readonly question: AttentionCase;
  /** Earlier questions without which the answer is another. */
  readonly before?: readonly AttentionCase[];
  /** Worked out when first read. */
  readonly outputs: readonly KeptOutput[];
  /** Work of computing it once, workOf. */
  readonly work: number;
}

/** What is known of one candidate. */
export interface Evidence {
  /** Failing and passing answers, the cheapest first. */
  readonly wrong: readonly KeptAnswer[];
  readonly passing: readonly KeptAnswer[];
  readonly profile: Profile;
}

/** One case of the run as the diagnosis sees it. */
export interface Observed {
  readonly id: string;
  readonly outcome: 'pass' | 'wrong' | 'broken';
  readonly facts: Facts;
  /** Null: there was none, it was not looked at as a whole, or there was no room. */
  readonly answer: KeptAnswer | null;
  readonly work: number;
}

/** What a pair costs beside its products, in products. */
const PAIR = 8;
/** What a row costs on each rank. */
const ROW = 32;

/** Products of one forward and backward pass, and what else costs time: a count, the same everywhere. */
export function workOf({ parameters: p }: Pick<AttentionCase, 'parameters'>): number {
  const rows = p.batch * p.heads * p.seq_q;
  const passes = wantsGradients(p) ? 3 : 1;
  const each = p.seq_kv * (p.head_dim + p.head_dim_v + PAIR) * passes + ROW * p.partition.ranks;
  const keys = p.batch * p.kv_heads * p.seq_kv * (p.head_dim + p.head_dim_v);
  return rows * each + keys * (1 + 2 * (p.dim_y ?? 0));
}

/** Numbers kept of all questions and answers, and of one, at most: 8 bytes each. */
const KEPT_MAX = 2 ** 25;
const KEPT_EACH_MAX = 2 ** 22;
/** What an expectation of a wrong answer holds, in sizes of the answer. */
const EXPECTED = 8;
/** Passing cases of more work than this are held against no fault, so their answers are not kept. */
const PASSING_WORK = 1e6;

const flatOrNull = (tensor: ReturnType<Expectation['worstCase']['of']>): Float64Array | null =>
  tensor === undefined ? null : Float64Array.from(toFlat(tensor));

/** One output of a comparison; null where it is not there or has no bound. */
function keptOutput({ outputs, expected }: Compared, name: OutputName): KeptOutput | null {
  const [values, given] = [expected.values[name], outputs[name]];
  const stored = STORED[given?.dtype ?? ''];
  if (values === undefined || given === undefined || stored === undefined) return null;
  if (values.shape.join() !== given.tensor.shape.join()) return null;
  const roundoff = unitRoundoff(stored);
  const worst = flatOrNull(expected.worstCase.of(name, roundoff));
  if (worst === null) return null;
  const likely = flatOrNull(expected.probabilistic?.of(name, roundoff));
  const excused = expected.excused(name)?.data;
  const allows = worst.map((bound, n) =>
    excused?.[n] === true ? Number.POSITIVE_INFINITY : Math.min(bound, likely?.[n] ?? bound),
  );
  const exact = expected.attentionCase.judging === 'exact';
  return {
    ...{ name, shape: values.shape, stored: given.dtype, allows },
    got: Float64Array.from(toFlat(given.tensor)),
    expected: Float64Array.from(toFlat(values)),
    decides: allows.map((bound, n) => {
      if (excused?.[n] === true) return Number.NaN;
      return exact && bound !== Number.POSITIVE_INFINITY ? 0 : bound;
    }),
  };
}

/** Numbers of a question and its answer. */
function sizeOf(question: AttentionCase, outputs: GivenOutputs): number {
  const given = Object.values(outputs).flatMap((one) => one?.tensor ?? []);
  return [...Object.values(question.inputs), ...given].reduce(
    (sum, { shape }) => sum + elementCount(shape),
    0,
  );
}

/** What a question's outputs should be. */
type Expect = (question: AttentionCase, profile: Profile) => Expectation;

/** An answer whose arrays are made when they are first read. */
function lazily(
  { id, question }: Pick<Seen, 'id' | 'question'>,
  outputs: GivenOutputs,
  expected: () => Expectation,
): KeptAnswer {
  let made: readonly KeptOutput[] | null = null;
  return {
    ...{ id, question, work: workOf(question) },
    get outputs() {
      if (made === null) {
        const compared = { outputs, expected: expected() };
        made = question.parameters.wants.flatMap((name) => keptOutput(compared, name) ?? []);
      }
      return made;
    },
  };
}

/** Gathers what a run shows; `observed` in the order of asking. */
export interface Observer {
  readonly observe: (seen: Seen) => void;
  readonly observed: () => readonly Observed[];
}

/** A case as it was seen; of one that is too large its facts are known and the question is let go. */
type Known = Omit<Observed, 'facts'> &
  ({ readonly question: AttentionCase; readonly asked: Asked } | { readonly facts: Facts });

const outcomeOf = ({ verdict: { verdict } }: Seen): Observed['outcome'] =>
  verdict === 'broken' ? 'broken' : isFailure(verdict) ? 'wrong' : 'pass';

export interface ObserverOptions {
  /** Numbers kept at most. */
  readonly most?: number;
  readonly expect?: Expect;
}

export function observer({
  most = KEPT_MAX,
  expect = expectationFor,
}: ObserverOptions = {}): Observer {
  const byId = new Map<string, Known>();
  const shapes = new Set<string>();
  let kept = 0;
  /** Half of the room is for what is wrong. */
  const fits = (size: number, outcome: Observed['outcome']): boolean => {
    const room = outcome === 'wrong' ? most : most / 2;
    if (size > KEPT_EACH_MAX || kept + size > room) return false;
    kept += size;
    return true;
  };
  const answerIn = (seen: Seen, outcome: Observed['outcome']): KeptAnswer | null => {
    const { question, compared } = seen;
    if (compared === null || outcome === 'broken') return null;
    const { outputs, expected } = compared;
    const { profile } = expected;
    if (outcome === 'wrong') {
      const size = sizeOf(question, outputs);
      return fits(EXPECTED * size, outcome) ? lazily(seen, outputs, () => expected) : null;
    }
    if (workOf(question) > PASSING_WORK || !fits(sizeOf(question, outputs), outcome)) return null;
    return lazily(seen, outputs, () => expect(question, profile));
  };
  return {
    observe: (seen) => {
      const { id, question, verdict } = seen;
      if (verdict.verdict === 'skip') return;
      const outcome = outcomeOf(seen);
      const before = byId.get(id);
      if (before !== undefined && (before.outcome !== 'pass' || outcome === 'pass')) return;
      const asked: Asked = { turn: byId.size + 1, again: shapes.has(shapesOf(question)) };
      shapes.add(shapesOf(question));
      const answer = answerIn(seen, outcome);
      const there = answer !== null || fits(sizeOf(question, {}), outcome);
      const about = there ? { question, asked } : { facts: factsOf(question, asked) };
      byId.set(id, { id, outcome, answer, work: workOf(question), ...about });
    },
    observed: () =>
      [...byId.values()].map((known) => {
        const { id, outcome, answer, work } = known;
        const facts = 'facts' in known ? known.facts : factsOf(known.question, known.asked);
        return { id, outcome, answer, work, facts };
      }),
  };
}
