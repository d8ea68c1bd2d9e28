/**
 * The cases whose answers, bounds and verdicts are pinned: drawn by number, every feature among them,
 * from the small shapes up to a few that fill more than one tile of the kernels.
 * @module
 */

import { type Causal, DTYPES, type MediaRule } from '../../reference/case/case.ts';
import {
  type CaseChanges,
  type Drawing,
  drawCase,
  drawing,
} from '../../reference/case/draw-case.ts';
import { drawPositions, type Sample } from '../../reference/case/sampling.ts';

/** How many are pinned. */
export const PINNED_CASES = 3000;

const PROFILES = [
  ...['f64', 'f32', 'tf32', 'f16', 'bf16', 'f32', 'bf16'],
  ...['f16+sigmoid-merge', 'bf16+lazy-maximum', 'f16+flushed-subnormals', 'bf16+stored-partials'],
  'f32+sigmoid-merge+lazy-maximum+flushed-subnormals+stored-partials',
] as const;

/** Draws of one case: whole numbers, choices, and whether. */
function chooser({ uniform }: Drawing) {
  const below = (n: number): number => Math.floor(uniform() * n);
  return {
    below,
    /** From `least` to `most`. */
    between: (least: number, most: number): number => least + below(most - least + 1),
    of: <T>(...choices: readonly [T, ...T[]]): T => choices[below(choices.length)] ?? choices[0],
    oneIn: (n: number): boolean => below(n) === 0,
  };
}

type Chooser = ReturnType<typeof chooser>;

function shapeOf({ between, of, oneIn }: Chooser) {
  const kv_heads = between(1, 2);
  // More than the 128 rows or keys of a tile, both of them in few cases.
  const [wide, manyRows, manyKeys] = [oneIn(15), oneIn(40), oneIn(25)];
  const past = (many: boolean, few: number): number => (many ? between(129, 134) : few);
  return {
    batch: oneIn(4) ? 2 : 1,
    kv_heads,
    heads: kv_heads * (manyRows ? 1 : of(1, 1, 2, 3)),
    seq_q: past(manyRows, between(1, 6)),
    seq_kv: past(manyKeys, of(1, 2, between(3, 12), between(3, 20))),
    head_dim: wide ? between(30, 66) : between(1, 6),
    head_dim_v: wide ? between(30, 66) : between(1, 6),
  };
}

/** A partition of `length` into `ranks` blocks, some of them empty. */
function blocks({ below }: Chooser, length: number, ranks: number): number[] {
  const cuts = Array.from({ length: ranks - 1 }, () => below(length + 1)).sort((a, b) => a - b);
  return [...cuts, length].map((end, n) => end - (n === 0 ? 0 : (cuts[n - 1] ?? 0)));
}

function masking(choose: Chooser, shape: ReturnType<typeof shapeOf>): CaseChanges {
  const { batch, heads, seq_q, seq_kv } = shape;
  const { between, of, oneIn } = choose;
  return {
    causal: of<Causal>('none', 'none', 'top-left', 'bottom-right'),
    window: oneIn(6) ? [between(-1, 4), between(-1, 4)] : null,
    media: oneIn(10) ? of<MediaRule>('immediate', 'previous') : null,
    ...(oneIn(4)
      ? { mask: of([seq_q, seq_kv], [batch, 1, 1, seq_kv], [batch, heads, seq_q, 1]) }
      : {}),
    ...(oneIn(6) ? { lengths: Array.from({ length: batch }, () => between(0, seq_kv)) } : {}),
  };
}

function features(choose: Chooser, shape: ReturnType<typeof shapeOf>): CaseChanges {
  const { batch, heads, seq_q, seq_kv } = shape;
  const { between, of, oneIn } = choose;
  return {
    softcap: oneIn(5) ? of(0.5, 2, 30) : 0,
    sink: oneIn(5),
    dropout_rate: oneIn(5) ? of(0.5, 0.25, 0.125) : 0,
    ...(oneIn(5) ? { dim_y: between(1, 5) } : {}),
    ...(oneIn(4)
      ? {
          bias: of([heads, 1, seq_kv], [batch, 1, seq_q, seq_kv], [1, seq_kv], [seq_q, 1]),
          shift: of(0, 0, 3, -20),
        }
      : {}),
  };
}

/** What of the drawn inputs is made far larger or smaller, or masked by a bias. */
function adjusting({ of, oneIn }: Chooser): NonNullable<CaseChanges['adjust']> {
  const factor = oneIn(4) ? of(0, 2 ** -30, 2 ** 4, 2 ** 10) : 1;
  const name = of<'q' | 'k' | 'v' | 'd_out'>('q', 'k', 'v', 'd_out');
  const masked = oneIn(3);
  return ({ bias, ...inputs }, { dtype }, below) => {
    const data = inputs[name]?.data;
    // f16 has no more than 2¹⁵, and nothing below 2⁻²⁴.
    const by = dtype !== 'f16' ? factor : factor > 1 ? 2 ** 4 : factor === 0 ? 0 : 1;
    for (let n = 0; n < (data?.length ?? 0); n++)
      if (data !== undefined) data[n] = (data[n] ?? 0) * by;
    if (bias === undefined || !masked) return;
    bias.data[below(bias.data.length)] = Number.NEGATIVE_INFINITY;
  };
}

/** Case number `n`, with a profile to judge it at, a format to round it to, and a sample of it. */
export function pinnedCase(n: number) {
  const choose = chooser(drawing(0x70_69_6e + n));
  const { below, between, of, oneIn } = choose;
  const shape = shapeOf(choose);
  const ranks = between(1, 3);
  const attentionCase = drawCase(n, {
    ...shape,
    ...masking(choose, shape),
    ...features(choose, shape),
    dtype: of(...DTYPES),
    scale: oneIn(5) ? of(0, -0.5, 2) : 0.375,
    gradients: !oneIn(3),
    dLse: oneIn(2),
    judging: oneIn(3) ? 'structured' : 'random',
    partition: {
      ranks,
      q: blocks(choose, shape.seq_q, ranks),
      kv: blocks(choose, shape.seq_kv, ranks),
    },
    adjust: adjusting(choose),
  });
  const some = (extent: number) => drawPositions(n, between(1, Math.min(3, extent)), extent);
  const sample: Sample = {
    rows: oneIn(4) ? null : some(shape.seq_q),
    keys: oneIn(4) ? null : some(shape.seq_kv),
  };
  const profile = PROFILES[below(PROFILES.length)] ?? 'f32';
  return { attentionCase, profile, format: of('f64', 'f32', 'bf16', 'f16'), sample } as const;
}

export type PinnedCase = ReturnType<typeof pinnedCase>;
