/**
 * Laws: what must hold between the answers to related cases, whatever the right answers are.
 *
 * A law turns a case into others and states exact linear equations between elements of their
 * outputs: Σ coefficient·element = constant. On rationals the equations hold with zero tolerance.
 * For a candidate in floating point the tolerance is derived: each element is within its bound of an
 * exact value, and the exact values obey the equation, so the sum is off by at most
 * Σ |coefficient|·bound. No oracle's answer enters, only bounds.
 * @module
 */

import { coarseBounds } from '../../reference/bounds/by-case/coarse-bounds.ts';
import type { ProfileLike } from '../../reference/bounds/lemmas/profile-options.ts';
import type {
  AttentionCase,
  CaseInputs,
  CaseParameters,
  OutputName,
} from '../../reference/case/case.ts';
import { type GivenOutputs, STORED } from '../../reference/case/given.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { unitRoundoff } from '../../reference/numbers/format.ts';
import type { Tensor } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';

/** One element of one answer, times a coefficient. Run 0 is the case itself. */
export interface Term {
  readonly run: number;
  readonly output: OutputName;
  readonly index: readonly number[];
  readonly coefficient: number;
}

/** Σ terms = constant, exactly. */
export interface Equation {
  readonly terms: readonly Term[];
  readonly constant: number;
}

export interface Law {
  readonly name: string;
  /** Equations of spec/attention.md that it rests on. */
  readonly from: string;
  /** Whether the law speaks about this case. */
  readonly applies: (c: AttentionCase) => boolean;
  /** The related cases, runs 1 and up; null when a changed input would not be exact. */
  readonly transform: (c: AttentionCase) => AttentionCase[] | null;
  readonly equations: (c: AttentionCase, others: readonly AttentionCase[]) => Iterable<Equation>;
}

/** A case and its relatives under a law; null when the law does not speak about it. */
export function relatives(law: Law, c: AttentionCase): AttentionCase[] | null {
  if (!law.applies(c)) return null;
  const others = law.transform(c);
  return others === null ? null : [c, ...others];
}

/** left = right, element for element of one output. */
export function equal(
  output: OutputName,
  index: readonly number[],
  other: { run: number; index?: readonly number[]; output?: OutputName; factor?: number },
): Equation {
  const right: Term = {
    run: other.run,
    output: other.output ?? output,
    index: [...(other.index ?? index)],
    coefficient: -(other.factor ?? 1),
  };
  return { terms: [{ run: 0, output, index: [...index], coefficient: 1 }, right], constant: 0 };
}

/** A case with parameters and inputs changed, validated; null when an input is not of its dtype. */
export function changed(
  c: AttentionCase,
  parameters: Partial<CaseParameters>,
  inputs: CaseInputs,
): AttentionCase | null {
  try {
    return validateCase(
      { ...c.parameters, ...parameters },
      { ...c.inputs, ...inputs },
      'structured',
    );
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** What a law finds out about a candidate's answers. */
export interface LawVerdict {
  readonly law: string;
  /** `skip`: there were equations, and none could be checked. */
  readonly verdict: 'pass' | 'impossible' | 'skip';
  readonly reason: string;
  /** Equations that a finite tolerance could check, and those that none could. */
  readonly checked: number;
  readonly unchecked: number;
}

function readElement(tensor: Tensor | undefined, { output, index }: Term): number {
  if (tensor === undefined) throw new RangeError(`"${output}" expected a tensor, got none`);
  return tensor.get(...index);
}

/** How far an element of an output of a case may be off, given the roundoff it is stored with. */
export type ElementBounds = (
  name: OutputName,
  stored: number,
) => (index: readonly number[]) => number;

/** Bounds of every element as the judge derives them: as costly as the answer. */
export function fineBounds(c: AttentionCase, profile: ProfileLike): ElementBounds {
  const { worstCase } = expectation(c, profile);
  return (name, stored) => {
    const bound = worstCase.of(name, stored);
    if (bound === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
    return (index) => bound.get(...index);
  };
}

/** One bound for all elements of an output, from the largest inputs: for any size of case. */
export function coarseElementBounds(c: AttentionCase, profile: ProfileLike): ElementBounds {
  const bounds = coarseBounds(c, profile);
  return (name, stored) => {
    const bound = bounds(name, stored);
    return () => bound;
  };
}

/** Bounds of the runs, looked up once for each output. */
function boundsOf(expected: readonly ElementBounds[], outputs: readonly GivenOutputs[]) {
  const cache = new Map<string, ((index: readonly number[]) => number) | undefined>();
  return (term: Term): number => {
    const key = `${term.run} ${term.output}`;
    if (!cache.has(key)) {
      const stored = STORED[outputs[term.run]?.[term.output]?.dtype ?? ''] ?? 'bf16';
      cache.set(key, expected[term.run]?.(term.output, unitRoundoff(stored)));
    }
    const bound = cache.get(key);
    if (bound === undefined) throw new RangeError(`run ${term.run} expected a case, got none`);
    return bound(term.index);
  };
}

/** Off by this much, and allowed this much; the check's own float64 rounding is allowed too. */
function residual(
  { terms, constant }: Equation,
  value: (term: Term) => number,
  bound: (term: Term) => number,
): { off: number; allowed: number } {
  let [sum, size, allowed] = [-constant, Math.abs(constant), 0];
  for (const term of terms) {
    const product = term.coefficient * value(term);
    sum += product;
    size += Math.abs(product);
    const tolerance = bound(term);
    allowed += tolerance === 0 ? 0 : Math.abs(term.coefficient) * tolerance;
  }
  return { off: Math.abs(sum), allowed: allowed + size * (terms.length + 2) * 2 ** -52 };
}

/** What an equation says where its elements are not all finite. */
type Extended = 'finite' | 'obeyed' | 'broken' | 'unbounded';

/**
 * NaN and infinities are counted as what they are. −∞ is the LSE of an empty row, and then all sides
 * are; any other element that has a bound is a number, so NaN or an infinity there breaks the law by
 * itself. Where it has none (an honest candidate may overflow), nothing is known.
 */
function extended(
  { terms }: Equation,
  value: (term: Term) => number,
  bound: (term: Term) => number,
): Extended {
  const outside = terms.filter((term) => !Number.isFinite(value(term)));
  if (outside.length === 0) return 'finite';
  const empty = (term: Term): boolean =>
    term.output === 'lse' && value(term) === Number.NEGATIVE_INFINITY;
  if (terms.every(empty)) return 'obeyed';
  return outside.some((term) => bound(term) < Number.POSITIVE_INFINITY) ? 'broken' : 'unbounded';
}

function describe({ terms, constant }: Equation, value: (term: Term) => number): string {
  const [first] = terms;
  const some = terms
    .slice(0, 3)
    .map(
      (t) => `${t.coefficient}·${t.output}[${t.index.join(', ')}] of run ${t.run} (${value(t)})`,
    );
  const rest = terms.length > 3 ? ` + ${terms.length - 3} more` : '';
  return first === undefined ? 'nothing' : `${some.join(' + ')}${rest} = ${constant}`;
}

/**
 * Do a candidate's answers to a case and to its relatives obey the law, within their bounds? Where
 * they do not, an element of one of the answers is outside the bound given for it. `bounds` are the
 * judge's own (`fineBounds`), or `coarseElementBounds` where those would cost too much.
 */
export function checkLaw(
  law: Law,
  cases: readonly AttentionCase[],
  outputs: readonly GivenOutputs[],
  profile: ProfileLike,
  bounds: (c: AttentionCase, profile: ProfileLike) => ElementBounds = fineBounds,
): LawVerdict {
  const [own, ...others] = cases;
  if (own === undefined)
    throw new RangeError('"cases" expected the case and its relatives, got none');
  const bound = boundsOf(
    cases.map((c) => bounds(c, profile)),
    outputs,
  );
  const value = (term: Term): number => readElement(outputs[term.run]?.[term.output]?.tensor, term);
  let [checked, unchecked] = [0, 0];
  for (const equation of law.equations(own, others)) {
    const side = extended(equation, value, bound);
    const { off, allowed } = residual(equation, value, bound);
    const known = side === 'finite' ? allowed < Number.POSITIVE_INFINITY : side !== 'unbounded';
    if (known) checked++;
    else unchecked++;
    const obeyed = side === 'finite' ? off <= allowed : side === 'obeyed';
    if (!known || obeyed) continue;
    const far =
      side === 'broken'
        ? 'not a number within any bound'
        : `off by ${off}, at most ${allowed} is allowed`;
    const reason = `${describe(equation, value)}: ${far}`;
    return { law: law.name, verdict: 'impossible', reason, checked, unchecked };
  }
  if (checked === 0 && unchecked > 0) {
    const reason = 'no equation whose elements all have a finite bound';
    return { law: law.name, verdict: 'skip', reason, checked, unchecked };
  }
  return { law: law.name, verdict: 'pass', reason: 'obeyed', checked, unchecked };
}
