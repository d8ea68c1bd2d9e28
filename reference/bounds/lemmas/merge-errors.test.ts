import { describe, expect, it } from 'vitest';
import type { AttentionCase } from '../../case/case.ts';
import type { GivenOutputs } from '../../case/given.ts';
import { readCase } from '../../files/case-folder.ts';
import { exp, log } from '../../numbers/float64.ts';
import { forEachIndex, zeros } from '../../numbers/tensor.ts';
import { judge } from '../../verdict/judge.ts';

const folder = new URL('../../testing/found/refused-honest/ring-cancel', import.meta.url).pathname;
const round = Math.fround;

interface Part {
  readonly o: readonly number[];
  readonly lse: number;
}

/** Keys from `from` on of one row, in f32: the normalised output and the LSE. */
function partOf(
  c: AttentionCase,
  [h, i]: readonly [number, number],
  keys: readonly number[],
): Part {
  const { q, k, v, bias } = c.inputs;
  const { head_dim, head_dim_v, scale } = c.parameters;
  const scores = keys.map((j) => {
    let dot = 0;
    for (let e = 0; e < head_dim; e++) {
      dot = round(dot + round((q?.get(0, h, i, e) ?? 0) * (k?.get(0, 0, j, e) ?? 0)));
    }
    return round(round(dot * scale) + (bias?.get(0, 0, 0, j) ?? 0));
  });
  const m = Math.max(...scores);
  const p = scores.map((s) => round(exp(round(s - m))));
  const l = p.reduce((sum, x) => round(sum + x));
  const o = Array.from({ length: head_dim_v }, (_, e) =>
    round(
      keys.reduce((sum, j, n) => round(sum + round((p[n] ?? 0) * (v?.get(0, 0, j, e) ?? 0))), 0) /
        l,
    ),
  );
  return { o, lse: round(m + round(log(l))) };
}

const sigmoid = (x: number): number => round(1 / round(1 + round(exp(-x))));
const softplus = (x: number): number =>
  round(Math.max(0, x) + round(log(1 + round(exp(-Math.abs(x))))));

/** out − σ(block_lse − lse)(out − block_out), lse − logsigmoid(lse − block_lse) */
function ringMerge(a: Part, b: Part): Part {
  const weight = sigmoid(round(b.lse - a.lse));
  return {
    o: a.o.map((x, e) => round(x - round(weight * round(x - (b.o[e] ?? 0))))),
    lse: round(a.lse + softplus(round(b.lse - a.lse))),
  };
}

/** Forward pass in f32, keys in blocks of `size`, merged one after another as they come. */
function ring(c: AttentionCase, size: number, order: 1 | -1): GivenOutputs {
  const { heads, seq_q, seq_kv, head_dim_v } = c.parameters;
  const [out, lse] = [zeros([1, heads, seq_q, head_dim_v]), zeros([1, heads, seq_q])];
  const all = Array.from({ length: seq_kv }, (_, j) => (order === 1 ? j : seq_kv - 1 - j));
  forEachIndex(lse.shape, ([b = 0, h = 0, i = 0]) => {
    const parts: Part[] = [];
    for (let at = 0; at < seq_kv; at += size)
      parts.push(partOf(c, [h, i], all.slice(at, at + size)));
    const whole = parts.reduce(ringMerge);
    whole.o.forEach((x, e) => {
      out.set(b, h, i, e, x);
    });
    lse.set(b, h, i, whole.lse);
  });
  return { out: { dtype: 'F32', tensor: out }, lse: { dtype: 'F32', tensor: lse } };
}

const found = readCase(folder);
const question: AttentionCase = {
  ...found,
  parameters: { ...found.parameters, wants: ['out', 'lse'] },
};

describe('a merge that subtracts', () => {
  const orders = [
    [1, 1],
    [3, 1],
    [1, -1],
    [4, -1],
  ] as const;
  it.each(orders)('is right at a profile that grants it: blocks of %i, order %i', (size, order) => {
    const outputs = ring(question, size, order);
    expect(judge(question, outputs, 'f32+sigmoid-merge').verdict).toBe('pass');
  });

  it('is refused at one that does not, where the first output is far larger and weighs nothing', () => {
    const { verdict, outputs } = judge(question, ring(question, 1, 1), 'f32');
    expect(verdict).toBe('impossible');
    expect(outputs.out?.max_bound_fraction).toBeGreaterThan(1000);
  });
});
