/**
 * vitest matchers for implementations in JavaScript: `expect.extend(matchers)`, then
 * `expect(outputs).toPassOracle(attentionCase, 'f32')`.
 *
 * Nothing here runs vitest's code: the matchers are plain functions, so that the library does not
 * depend on it.
 * @module
 */

import type {} from 'vitest';
import { type ProfileLike, profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase, OutputName } from '../reference/case/case.ts';
import { forEachIndex, type Tensor } from '../reference/numbers/tensor.ts';
import { type Answers, givenAnswers } from '../reference/verdict/answers.ts';
import { judge } from '../reference/verdict/judge.ts';

interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** One sentence about which case this was. */
function about({ parameters: p, inputs, judging }: AttentionCase): string {
  const shape = `batch ${p.batch}, heads ${p.heads}/${p.kv_heads}, seq ${p.seq_q}×${p.seq_kv}, dim ${p.head_dim}/${p.head_dim_v}`;
  const split = `${p.partition.ranks} ranks, q [${p.partition.q.join(', ')}], kv [${p.partition.kv.join(', ')}]`;
  return `case "${p.id}" (${p.dtype}, ${shape}; ${split}; judged as ${judging}; inputs ${Object.keys(inputs).join(' ')})`;
}

/** Every element within the bounds that the profile allows. */
function toPassOracle(
  received: Answers,
  attentionCase: AttentionCase,
  profile: ProfileLike,
): MatcherResult {
  const { verdict, reason, outputs } = judge(attentionCase, received, profile);
  const pass = verdict === 'pass';
  const rows = Object.entries(outputs).map(
    ([name, { max_ulp, max_bound_fraction, worst_index, expected, got }]) =>
      `  ${name}[${worst_index.join(', ')}] expected ${expected}, got ${got}: ${max_bound_fraction.toPrecision(3)} of the bound${max_ulp === null ? '' : `; ${max_ulp.toPrecision(3)} ULP off`}`,
  );
  return {
    pass,
    message: () =>
      [
        `expected the answers ${pass ? 'not ' : ''}to pass the oracle at ${profileFrom(profile).name}, got ${verdict}: ${reason}`,
        about(attentionCase),
        ...rows,
        'to keep it for `xattn replay`: writeCase(folder, attentionCase)',
      ].join('\n'),
  };
}

/** The first element that differs; −0 and 0 are one number, and NaN equals NaN. */
function difference(name: string, got: Tensor, expected: Tensor): string | null {
  const [want, have] = [expected.shape.join(', '), got.shape.join(', ')];
  if (want !== have) return `${name} expected shape [${want}], got [${have}]`;
  let found: string | null = null;
  let count = 0;
  forEachIndex(expected.shape, (at) => {
    const [x, y] = [got.get(...at), expected.get(...at)];
    if (x === y || Object.is(x, y)) return;
    count++;
    found ??= `${name}[${at.join(', ')}] expected ${y}, got ${x}`;
  });
  return found === null ? null : `${found}; ${count} elements of ${name} differ`;
}

/** The same numbers, every one of them, and the same outputs. */
function toEqualExactly(received: Answers, expected: Answers): MatcherResult {
  const [got, want] = [givenAnswers(received), givenAnswers(expected)];
  const names = [...new Set([...Object.keys(got), ...Object.keys(want)])] as OutputName[];
  const found = names.flatMap((name) => {
    const [a, b] = [got[name], want[name]];
    if (a === undefined || b === undefined) {
      return [
        `${name} expected ${b === undefined ? 'no tensor' : 'a tensor'}, got ${a === undefined ? 'none' : 'one'}`,
      ];
    }
    const differs = difference(name, a.tensor, b.tensor);
    return differs === null ? [] : [differs];
  });
  return {
    pass: found.length === 0,
    message: () =>
      found.length === 0
        ? 'expected the answers to differ somewhere, got the same numbers'
        : `expected the same numbers, got others:\n  ${found.join('\n  ')}`,
  };
}

/** For `expect.extend`. */
export const matchers = { toPassOracle, toEqualExactly };

declare module 'vitest' {
  interface Matchers<T> {
    /** Passes when every element lies within the bounds of the profile; see spec/bounds.md. */
    toPassOracle(attentionCase: AttentionCase, profile: ProfileLike): T;
    /** Passes when both hold the same outputs with the same numbers. */
    toEqualExactly(expected: Answers): T;
  }
}
