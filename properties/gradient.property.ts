/**
 * Gradients, exactly: recomputed block by block over any partition of queries and keys they add up
 * to the whole; a row that sees nothing adds nothing. spec (9)-(18), (25), (26); Gradient.v,
 * Recompute.v, EmptyRow.v
 * @module
 */
import fc from 'fast-check';
import type { Fraction } from 'mathjs';
import { attention } from '../reference/definition/attention.ts';
import {
  attentionGradients,
  type Gradients,
  gradientsByName,
} from '../reference/definition/gradients.ts';
import { lift, type Problem } from '../reference/definition/lift.ts';
import { rational } from '../reference/numbers/rational.ts';
import { forEachIndex, mapTensor, type Tensor } from '../reference/numbers/tensor.ts';
import { rationalCaseArbitrary } from './arbitraries/rational-case.ts';

/** Which rank holds each position. */
function owners(sizes: readonly number[]): number[] {
  return sizes.flatMap((size, rank) => new Array<number>(size).fill(rank));
}

function sumInto(total: Gradients<Fraction>, part: Gradients<Fraction>): void {
  const parts = new Map(gradientsByName(part));
  for (const [name, tensor] of gradientsByName(total)) {
    const other = parts.get(name);
    if (tensor === null || other === null || other === undefined) continue;
    forEachIndex(tensor.shape, (at) => {
      tensor.set(...at, tensor.get(...at).add(other.get(...at)));
    });
  }
}

function differing(a: Tensor<Fraction>, b: Tensor<Fraction>): string | null {
  let found: string | null = null;
  forEachIndex(a.shape, (at) => {
    if (!a.get(...at).equals(b.get(...at))) {
      found ??= `[${at.join(', ')}] ${a.get(...at).toFraction()} and ${b.get(...at).toFraction()}`;
    }
  });
  return found;
}

/** Σ over every (query block, key block) of the case's partition, from the row states alone. */
export function gradientsOverBlocksAddUp() {
  return fc.property(rationalCaseArbitrary({ direction: 'backward', maxRanks: 3 }), (c) => {
    const problem = lift(rational, c);
    const forward = attention(problem);
    const whole = attentionGradients(problem, forward);
    const { ranks, q, kv } = c.parameters.partition;
    const [queryOwner, keyOwner] = [owners(q), owners(kv)];
    let total: Gradients<Fraction> | null = null;
    // A sink belongs to the row, not to a key block: it is counted with the rank that owns the row.
    for (let queries = 0; queries < ranks; queries++) {
      for (let keys = 0; keys < ranks; keys++) {
        const block: Problem<Fraction> = {
          ...problem,
          sink: keys === queries ? problem.sink : null,
          visible: (b, h, i, j) =>
            queryOwner[i] === queries && keyOwner[j] === keys && problem.visible(b, h, i, j),
        };
        const rows = { ...forward, rows: ownRows(forward.rows, queryOwner, queries) };
        const part = attentionGradients(block, rows);
        if (total === null) total = { ...part, dSink: part.dSink ?? zeroLike(whole.dSink) };
        else sumInto(total, { ...part, dSink: part.dSink ?? zeroLike(whole.dSink) });
      }
    }
    const sums = new Map(gradientsByName(total ?? whole));
    for (const [name, tensor] of gradientsByName(whole)) {
      const other = sums.get(name);
      if (tensor === null || other === null || other === undefined) continue;
      const found = differing(tensor, other);
      if (found !== null) throw new Error(`${name}${found}`);
    }
  });
}

function zeroLike(tensor: Tensor<Fraction> | null): Tensor<Fraction> | null {
  return tensor === null ? null : mapTensor(tensor, () => rational.zero);
}

/** States of the rows of one rank; the others are as if they saw nothing. */
function ownRows(
  rows: ReturnType<typeof attention<Fraction>>['rows'],
  owner: readonly number[],
  rank: number,
): typeof rows {
  const own = mapTensor(rows, (state) => state);
  forEachIndex(rows.shape, (at) => {
    if (owner[at[2] ?? 0] !== rank) own.set(...at, null);
  });
  return own;
}

/** A row that sees no key and has no sink: output 0, no gradient to anything. spec (9) */
export function emptyRowsAreSilent() {
  return fc.property(rationalCaseArbitrary({ direction: 'backward' }), (c) => {
    const problem = lift(rational, c);
    const forward = attention(problem);
    const blind: Problem<Fraction> = { ...problem, sink: null, visible: () => false };
    const nothing = attention(blind);
    for (const [name, tensor] of gradientsByName(attentionGradients(blind, nothing))) {
      if (tensor !== null) allZero(name, tensor);
    }
    allZero('out', nothing.out);
    const { batch, heads, seq_q, head_dim, head_dim_v, seq_kv } = c.parameters;
    const { dQ } = attentionGradients(problem, forward);
    forEachIndex([batch, heads, seq_q], ([b = 0, h = 0, i = 0]) => {
      let sees = false;
      for (let j = 0; j < seq_kv; j++) sees ||= problem.visible(b, h, i, j);
      if (sees) return;
      if ((forward.rows.get(b, h, i) === null) !== (problem.sink === null)) {
        throw new Error(`row [${b}, ${h}, ${i}] sees no key, but its state says otherwise`);
      }
      for (let e = 0; e < head_dim_v; e++) mustBeZero('out', forward.out.get(b, h, i, e));
      for (let e = 0; e < head_dim; e++) mustBeZero('d_q', dQ.get(b, h, i, e));
    });
  });
}

function mustBeZero(name: string, x: Fraction): void {
  if (x.n !== 0n) throw new Error(`${name} expected 0, got ${x.toFraction()}`);
}

function allZero(name: string, tensor: Tensor<Fraction>): void {
  forEachIndex(tensor.shape, (at) => mustBeZero(name, tensor.get(...at)));
}
