/**
 * How honest candidates put partial results together: (m, l, o) or (LSE, O), two at a time or all at
 * once, by weights or by a sigmoid. spec (20), (22)
 * @module
 */
import type { HonestChoices } from './choices.ts';
import type { Machine } from './machine.ts';

/** Row maximum, sum and weighted sum; once normalised, m = LSE and l = 1. */
export interface Partial {
  readonly m: number;
  readonly l: number;
  readonly o: readonly number[];
}

interface Joiner {
  readonly machine: Machine;
  readonly choices: HonestChoices;
}

/** Do partial results carry an LSE? What a sigmoid merges, and what is split, must. */
export const isNormalised = ({ normalised, merge, splits, partials }: HonestChoices): boolean =>
  normalised || merge !== 'weights' || splits > 1 || partials === 'stored';

/** (m, l, o) → (LSE, 1, O). spec (22) */
export function normalise({ machine, choices }: Joiner, { m, l, o }: Partial): Partial {
  if (l === 0) return { m, l, o };
  const stored = choices.partials === 'stored' ? machine.output : (x: number): number => x;
  return { m: machine.logSum(m, l), l: 1, o: o.map((x) => stored(machine.round(x / l))) };
}

/** O − σ(LSE_b − LSE)(O − O_b), LSE − log σ(LSE − LSE_b) */
function subtract({ round, weight, logSum }: Machine, a: Partial, b: Partial): Partial {
  const sigma = round(1 / round(1 + weight(a.m, b.m)));
  const x = round(a.m - b.m);
  const logSigma = round(Math.min(0, x) - logSum(0, round(1 + weight(-Math.abs(x), 0))));
  return {
    m: round(a.m - logSigma),
    l: 1,
    o: a.o.map((old, c) => round(old - round(sigma * round(old - (b.o[c] ?? 0))))),
  };
}

/** Is this merge one that subtracts? Where a program mixes both kinds, the bits of an LSE say. */
const subtracts = ({ merge }: HonestChoices, lse: number): boolean =>
  merge === 'sigmoid' || (merge === 'mixed' && Math.floor(Math.abs(lse) * 1048573) % 2 === 0);

/** Two partial results joined. spec (20), or (22) when normalised */
export function joinTwo(joiner: Joiner, a: Partial | null, b: Partial | null): Partial | null {
  if (a === null) return b;
  if (b === null) return a;
  const { machine, choices } = joiner;
  const { round } = machine;
  if (subtracts(choices, a.m) && a.l > 0 && b.l > 0) return subtract(machine, a, b);
  const m = Math.max(a.m, b.m);
  const [wA, wB] = [machine.weight(a.m, m), machine.weight(b.m, m)];
  const l = round(round(wA * a.l) + round(wB * b.l));
  if (!isNormalised(choices) || l === 0) {
    return { m, l, o: a.o.map((x, c) => round(round(wA * x) + round(wB * (b.o[c] ?? 0)))) };
  }
  const lse = machine.logSum(m, l);
  const [pA, pB] = [machine.weight(a.m, lse), machine.weight(b.m, lse)];
  return { m: lse, l: 1, o: a.o.map((x, c) => round(round(pA * x) + round(pB * (b.o[c] ?? 0)))) };
}

/** All normalised partial results of one rank at once: one LSE over all, one weight for each. */
export function joinAll({ machine }: Joiner, all: readonly Partial[]): Partial | null {
  const parts = all.filter(({ l }) => l > 0);
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first ?? all[0] ?? null;
  const m = parts.reduce((max, part) => Math.max(max, part.m), first.m);
  const lse = machine.logSum(m, machine.sum(parts.map((part) => machine.weight(part.m, m))));
  const weights = parts.map((part) => machine.weight(part.m, lse));
  return {
    m: lse,
    l: 1,
    o: first.o.map((_, c) =>
      machine.dot(parts.map((part, n) => [weights[n] ?? 0, part.o[c] ?? 0] as const)),
    ),
  };
}
