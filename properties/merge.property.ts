/**
 * The merge, exactly: associative, commutative, with the empty set as identity; any partition,
 * order and tree gives attention; the normalised form likewise. spec (19)-(23); Merge.v,
 * Partition.v, Normalised.v, EmptyRow.v
 * @module
 */
import fc from 'fast-check';
import { type Fraction, fraction } from 'mathjs';
import type { AttentionCase } from '../reference/case/case.ts';
import { kvHead } from '../reference/case/heads.ts';
import { attention } from '../reference/definition/attention.ts';
import { lift, type Problem } from '../reference/definition/lift.ts';
import { EMPTY, finish, merge, type PartialResult, single } from '../reference/definition/merge.ts';
import { rowScores } from '../reference/definition/scores.ts';
import { rational } from '../reference/numbers/rational.ts';
import { forEachIndex } from '../reference/numbers/tensor.ts';
import { fold, mergeTreeArbitrary } from './arbitraries/merge-tree.ts';
import { rationalCaseArbitrary } from './arbitraries/rational-case.ts';

type Partial = PartialResult<Fraction>;

const same = (a: Fraction, b: Fraction): boolean => a.equals(b);

function samePartial(a: Partial, b: Partial): boolean {
  if (a === null || b === null) return a === b;
  const components = a.o.length === b.o.length && a.o.every((x, c) => same(x, b.o[c] ?? x));
  return same(a.m, b.m) && same(a.l, b.l) && components;
}

const join = (a: Partial, b: Partial): Partial => merge(rational, a, b);

/** A partial result of some keys: integer scores, values and dropout factors. */
export function partialArbitrary(width = 2): fc.Arbitrary<Partial> {
  const integer = (max: number) => fc.integer({ min: -max, max });
  const key = fc.record({
    s: integer(60),
    kappa: fc.nat({ max: 2 }),
    v: fc.array(integer(9), { minLength: width, maxLength: width }),
  });
  return fc.array(key, { maxLength: 5 }).map((keys) =>
    keys.reduce<Partial>((sum, { s, kappa, v }) => {
      const values = v.map((x) => fraction(x));
      return join(sum, single(rational, fraction(s), values, fraction(kappa)));
    }, EMPTY),
  );
}

/** merge(a, merge(b, c)) = merge(merge(a, b), c). */
export function mergeIsAssociative() {
  const one = partialArbitrary();
  return fc.property(one, one, one, (a, b, c) =>
    samePartial(join(a, join(b, c)), join(join(a, b), c)),
  );
}

/** merge(a, b) = merge(b, a), and the empty set changes nothing. */
export function mergeIsCommutativeWithIdentity() {
  const one = partialArbitrary();
  return fc.property(
    one,
    one,
    (a, b) =>
      samePartial(join(a, b), join(b, a)) &&
      samePartial(join(a, EMPTY), a) &&
      samePartial(join(EMPTY, a), a),
  );
}

/** The partial of each visible key of a row, the sink's among them. */
function leavesOf(problem: Problem<Fraction>, [b, h, i]: [number, number, number]): Partial[] {
  const { parameters, v, dropout, sink } = problem;
  const g = kvHead(parameters, h);
  const width = parameters.head_dim_v;
  const leaves: Partial[] = rowScores(problem, b, h, i).map(({ j, s }) => {
    const values = Array.from({ length: width }, (_, c) => v.get(b, g, j, c));
    return single(rational, s, values, dropout === null ? undefined : dropout(b, h, i, j));
  });
  if (sink !== null) {
    leaves.push(single(rational, sink.get(h), new Array<Fraction>(width).fill(fraction(0))));
  }
  return leaves;
}

/** The rows of a case, folded in some way, are the rows of attention. */
function foldsToAttention(
  c: AttentionCase,
  foldRow: (leaves: Partial[]) => readonly Fraction[] | null,
): void {
  const problem = lift(rational, c);
  const { out } = attention(problem);
  const { batch, heads, seq_q, head_dim_v } = c.parameters;
  forEachIndex([batch, heads, seq_q], ([b = 0, h = 0, i = 0]) => {
    const row = foldRow(leavesOf(problem, [b, h, i]));
    for (let e = 0; e < head_dim_v; e++) {
      const [got, truth] = [row === null ? fraction(0) : row[e], out.get(b, h, i, e)];
      if (got === undefined || !same(got, truth)) {
        throw new Error(`out[${b}, ${h}, ${i}, ${e}] expected ${truth}, got ${got}`);
      }
    }
  });
}

/** Any tree over any order of the keys, sink and dropout included, gives attention. spec (23) */
export function anyTreeGivesAttention() {
  return fc.property(rationalCaseArbitrary(), mergeTreeArbitrary(), (c, tree) =>
    foldsToAttention(c, (leaves) => finish(rational, fold(tree, leaves, join, EMPTY))),
  );
}

/** Keys first joined within the ranks of the case's partition, then ranks along any tree. */
export function anyPartitionGivesAttention() {
  return fc.property(
    rationalCaseArbitrary(),
    mergeTreeArbitrary(),
    mergeTreeArbitrary(),
    (c, within, between) =>
      foldsToAttention(c, (leaves) => {
        let from = 0;
        const ranks = c.parameters.partition.kv.map((size) => {
          const part = leaves.slice(from, from + size);
          from += size;
          return fold(within, part, join, EMPTY);
        });
        const rest = leaves.slice(from); // the sink, where there is one
        return finish(rational, fold(between, [...ranks, ...rest], join, EMPTY));
      }),
  );
}

/** (w, O) with w = e^LSE, which is rational where the LSE is not. spec (22) */
interface Normalised {
  readonly w: Fraction;
  readonly o: readonly Fraction[];
}

function normalise(partial: Partial): Normalised | null {
  if (partial === null) return null;
  const o = finish(rational, partial) ?? [];
  return { w: rational.mul(rational.exp(partial.m), partial.l), o };
}

function joinNormalised(a: Normalised | null, b: Normalised | null): Normalised | null {
  if (a === null) return b;
  if (b === null) return a;
  const w = a.w.add(b.w);
  const [pA, pB] = [a.w.div(w), b.w.div(w)];
  return { w, o: a.o.map((x, c) => pA.mul(x).add(pB.mul(b.o[c] ?? fraction(0)))) };
}

/** The normalised merge along any tree gives attention too. spec (22) */
export function normalisedMergeGivesAttention() {
  return fc.property(rationalCaseArbitrary(), mergeTreeArbitrary(), (c, tree) =>
    foldsToAttention(c, (leaves) => {
      const whole = fold<Normalised | null>(tree, leaves.map(normalise), joinNormalised, null);
      return whole === null ? null : whole.o;
    }),
  );
}
