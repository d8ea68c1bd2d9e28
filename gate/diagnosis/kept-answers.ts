/**
 * Answers of a run, kept for the diagnosis in plain arrays, with what was expected and how far off an
 * answer may be. Memory is bounded: what does not fit is not kept, passing cases first.
 * @module
 */
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { type AttentionCase, type OutputName, wantsGradients } from '../../reference/case/case.ts';
import { STORED } from '../../reference/case/given.ts';
import { unitRoundoff } from '../../reference/numbers/format.ts';
import { elementCount, toFlat } from '../../reference/numbers/tensor.ts';
import type { Expectation } from '../../reference/verdict/expectation.ts';
import { isFailure } from '../../reference/verdict/judge.ts';
import type { Compared, Seen } from '../run-suite.ts';
import { type Facts, factsOf } from './facts.ts';

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

/** Numbers kept of all answers, and of one, at most: 8 bytes each. */
const KEPT_MAX = 2 ** 25;
const KEPT_EACH_MAX = 2 ** 21;

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

const sizeOf = ({
  question,
  expected,
}: {
  question: AttentionCase;
  expected: Expectation;
}): number =>
  [...Object.values(question.inputs), ...Object.values(expected.values)].reduce(
    (sum, { shape }) => sum + 4 * elementCount(shape),
    0,
  );

/** Gathers what a run shows; `observed` in the order of asking. */
export interface Observer {
  readonly observe: (seen: Seen) => void;
  readonly observed: () => readonly Observed[];
}

export function observer(most = KEPT_MAX): Observer {
  const byId = new Map<string, Observed>();
  let kept = 0;
  const keep = ({ id, question, verdict, compared }: Seen): KeptAnswer | null => {
    if (compared === null || verdict.verdict === 'broken') return null;
    const size = sizeOf({ question, expected: compared.expected });
    // Half of the room is for answers that are wrong.
    const room = isFailure(verdict.verdict) ? most : most / 2;
    if (size > KEPT_EACH_MAX || kept + size > room) return null;
    kept += size;
    const outputs = question.parameters.wants.flatMap((name) => keptOutput(compared, name) ?? []);
    return { id, question, outputs, work: workOf(question) };
  };
  const shapes = new Set<string>();
  return {
    observe: (seen) => {
      const { id, question, verdict } = seen;
      if (verdict.verdict === 'skip') return;
      const known = byId.get(id);
      const failing = isFailure(verdict.verdict);
      if (known !== undefined && (known.outcome !== 'pass' || !failing)) return;
      const outcome = verdict.verdict === 'broken' ? 'broken' : failing ? 'wrong' : 'pass';
      const answer = keep(seen);
      const facts = factsOf(question, { turn: byId.size + 1, shapes });
      byId.set(id, { id, outcome, facts, answer, work: workOf(question) });
    },
    observed: () => [...byId.values()],
  };
}
