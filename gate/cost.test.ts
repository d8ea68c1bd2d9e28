import { describe, expect, it } from 'vitest';
import type { AttentionCase } from '../reference/case/case.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import { costSentence, productsOf } from './cost.ts';

/** A case of these extents; its tensors are those of a small one, for shapes alone are asked. */
function sized(seq_q: number, seq_kv: number, gradients = true): AttentionCase {
  const { parameters, ...rest } = drawCase(1, { gradients });
  const dims = { batch: 2, heads: 8, head_dim: 64, head_dim_v: 128 };
  return { ...rest, parameters: { ...parameters, ...dims, seq_q, seq_kv } };
}

describe('what a case will cost', () => {
  it('is its products of Q·K and P·V, of a sample those of its rows and keys', () => {
    expect(productsOf(sized(10, 100))).toBe(2 * 8 * 10 * 100 * 192);
    const sample = { rows: [1, 2], keys: [5] };
    expect(productsOf(sized(10, 100), sample)).toBe(2 * 8 * (2 * 100 + 10) * 192);
    expect(productsOf(sized(10, 100, false), sample)).toBe(2 * 8 * 2 * 100 * 192);
  });

  it('is said of a case that takes minutes, with what would take less', () => {
    expect(costSentence(sized(16, 100))).toBeNull();
    expect(costSentence(sized(4096, 4096, false))).toBe(
      '5.2e+10 products of Q·K and P·V, which takes a core in the order of 7 minutes; ' +
        '--rows 64 --keys 64 takes a sample of it',
    );
    expect(costSentence(sized(2 ** 16, 2 ** 20))).toMatch(/order of \d{3,} hours; --rows 64/);
    expect(costSentence(sized(4096, 4096), { rows: [0], keys: [0] })).toBeNull();
    const many = { rows: Array.from({ length: 4096 }, (_, n) => n), keys: null };
    expect(costSentence(sized(2 ** 16, 2 ** 20), many)).toMatch(/a smaller sample is quicker$/);
  });
});
