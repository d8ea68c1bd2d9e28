import { describe, expect, it } from 'vitest';
import { tensorOf } from '../numbers/tensor.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import type { AttentionCase } from './case.ts';
import { drawCase } from './draw-case.ts';
import { featureWords } from './features.ts';
import { visibility } from './mask.ts';
import { validateCase } from './validate.ts';

const plain = drawCase(1);
const withParameters = (changes: object) => () =>
  validateCase({ ...plain.parameters, ...changes }, plain.inputs);
const withInputs = (changes: object) => () => {
  const { k, v, ...rest } = plain.inputs;
  return validateCase(plain.parameters, { ...rest, k, v, ...changes } as AttentionCase['inputs']);
};

describe('validateCase names the field, what was expected, and what came', () => {
  const wrong: [string, () => unknown, RegExp][] = [
    [
      'no object',
      () => validateCase(null, {}),
      /"case.json" expected a value of type object, got null/,
    ],
    ['another schema', withParameters({ schema: 2 }), /"schema" expected one of 1, got 2/],
    ['an unknown field', withParameters({ colour: 1 }), /"colour" expected no field of this name/],
    [
      'a missing field',
      withParameters({ scale: undefined }),
      /"scale" expected a value of type number, got none/,
    ],
    ['an infinite scale', withParameters({ scale: Infinity }), /"scale" expected/],
    ['a fractional extent', withParameters({ heads: 1.5 }), /"heads" expected an integer, got 1.5/],
    ['no queries', withParameters({ seq_q: 0 }), /"seq_q" expected at least 1, got 0/],
    [
      'heads that do not divide',
      withParameters({ heads: 6, kv_heads: 4 }),
      /"kv_heads" expected a divisor of heads \(6\), got 4/,
    ],
    ['an id that climbs', withParameters({ id: '../x' }), /"id" expected letters, digits/],
    ['an id that is absolute', withParameters({ id: '/x' }), /"id" expected/],
    [
      'an unknown dtype',
      withParameters({ dtype: 'f8' }),
      /"dtype" expected one of "f64", "f32", "f16", "bf16", got "f8"/,
    ],
    [
      'a negative softcap',
      withParameters({ softcap: -1 }),
      /"softcap" expected at least 0, got -1/,
    ],
    [
      'a dropout rate of one',
      withParameters({ dropout_rate: 1 }),
      /"dropout_rate" expected less than 1, got 1/,
    ],
    ['a window of one number', withParameters({ window: [1] }), /"window/],
    [
      'a window below −1',
      withParameters({ window: [-2, 0] }),
      /"window.0" expected at least -1, got -2/,
    ],
    ['wanting nothing', withParameters({ wants: [] }), /"wants" expected at least 1 entries/],
    ['wanting something unknown', withParameters({ wants: ['d_x'] }), /"wants.0" expected one of/],
    [
      'wanting something twice',
      withParameters({ wants: ['out', 'out'] }),
      /"wants" expected each once/,
    ],
    [
      'wanting the gradient of nothing',
      withParameters({ wants: ['d_sink'] }),
      /"wants" expected "d_sink" only with an input "sink"/,
    ],
    [
      'a partition of the wrong sum',
      withParameters({ partition: { ranks: 2, q: [2, 1], kv: [4, 5] } }),
      /"partition.q" expected sizes that add up to 4, got \[2,1\]/,
    ],
    [
      'a partition of the wrong length',
      withParameters({ partition: { ranks: 2, q: [4], kv: [4, 5] } }),
      /"partition.q" expected one size per rank \(2\), got \[4\]/,
    ],
    [
      'media without tensors',
      withParameters({ media: 'previous' }),
      /"media_text" expected a tensor, got none/,
    ],
    [
      'dropout without a mask',
      withParameters({ dropout_rate: 0.5 }),
      /"dropout_keep" expected a tensor, got none/,
    ],
    ['features without tensors', withParameters({ dim_y: 3 }), /"y" expected a tensor, got none/],
    ['no queries at all', withInputs({ q: undefined }), /"q" expected a tensor, got none/],
    ['no cotangent', withInputs({ d_out: undefined }), /"d_out" expected a tensor, got none/],
    [
      'a wrong shape',
      withInputs({ q: tensorOf([1], [1, 1, 1, 1]) }),
      /"q" expected shape \[1,2,4,8\], got \[1,1,1,1\]/,
    ],
    [
      'a bias that does not broadcast',
      withInputs({ bias: tensorOf([1, 2], [2]) }),
      /"bias" expected a shape that broadcasts to \[1,2,4,9\], got \[2\]/,
    ],
    [
      'a mask of 2',
      withInputs({ mask: tensorOf([2], [1]) }),
      /"mask\[0\]" expected 0 or 1, got "2"/,
    ],
    [
      'a length past the end',
      withInputs({ kv_lengths: tensorOf([10], [1]) }),
      /"kv_lengths\[0\]" expected an integer in 0..9, got "10"/,
    ],
    [
      'media in a case without',
      withInputs({ media_text: tensorOf([0, 0, 0, 0], [1, 4]) }),
      /"media_text" expected no tensor in this case/,
    ],
    [
      'an unknown tensor',
      withInputs({ z: tensorOf([1], [1]) }),
      /"z" expected no tensor of this name/,
    ],
    [
      'a number that f32 has not',
      withInputs({ sink: tensorOf([0.1, 0], [2]) }),
      /"sink\[0\]" expected a finite f32 number, got "0.1"/,
    ],
    [
      'a NaN',
      withInputs({ sink: tensorOf([Number.NaN, 0], [2]) }),
      /"sink\[0\]" expected a finite f32 number, got "NaN"/,
    ],
  ];
  for (const [what, build, message] of wrong) {
    it(`refuses ${what}`, () => {
      expect(build).toThrow(RangeError);
      expect(build).toThrow(message);
    });
  }

  it('refuses poison where somebody attends, and takes it where nobody does', () => {
    const poison = (j: number) =>
      drawCase(2, {
        causal: 'top-left',
        seq_q: 3,
        seq_kv: 5,
        adjust: (inputs) => void inputs.k?.set(0, 0, j, 1, Number.NaN),
      });
    expect(() => poison(2)).toThrow(
      /"k\[0, 0, 2, 1\]" expected a finite number at a key that is attended to, got "NaN"/,
    );
    expect(featureWords(poison(3))).toContain('poison');
  });

  it('takes every feature', () => {
    for (const [, changes] of FEATURE_CASES) expect(() => drawCase(1, changes)).not.toThrow();
  });
});

describe('features and masks', () => {
  it('lists the words of a busy case in the protocol’s order', () => {
    const everything = drawCase(1, FEATURE_CASES.find(([name]) => name === 'everything')![1]);
    expect(featureWords(everything)).toEqual([
      'forward',
      'backward',
      'gqa',
      'mask',
      'bias',
      'causal-bottom-right',
      'window',
      'softcap',
      'sink',
      'dropout',
      'media',
      'varlen',
      'dlse',
      'recompute',
      'f32',
    ]);
    expect(
      featureWords(
        drawCase(1, { gradients: false, partition: { ranks: 2, q: [2, 2], kv: [4, 5] } }),
      ),
    ).toEqual(['forward', 'gqa', 'uneven', 'f32']);
  });

  const rows = (changes: Parameters<typeof drawCase>[1]): string[] => {
    const c = drawCase(1, { heads: 1, gradients: false, ...changes });
    const visible = visibility(c);
    const { seq_q, seq_kv } = c.parameters;
    return Array.from({ length: seq_q }, (_, i) =>
      Array.from({ length: seq_kv }, (__, j) => (visible(0, 0, i, j) ? 'x' : '.')).join(''),
    );
  };

  it('take a bias of −∞ for a mask, which needs both words, and no other infinity', () => {
    const biased = (x: number) =>
      drawCase(1, {
        ...{ bias: [1, 1, 4, 9], gradients: false },
        adjust: ({ bias }) => bias?.set(0, 0, 1, 2, x),
      });
    expect(featureWords(biased(-1))).toEqual(['forward', 'gqa', 'bias', 'f32']);
    const c = biased(-Infinity);
    expect(featureWords(c)).toEqual(['forward', 'gqa', 'mask', 'bias', 'f32']);
    const visible = visibility(c);
    expect([visible(0, 0, 1, 2), visible(0, 1, 1, 2)]).toEqual([false, false]);
    expect([visible(0, 0, 1, 1), visible(0, 0, 0, 2)]).toEqual([true, true]);
    for (const x of [Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(() => biased(x)).toThrow(
        `"bias[0, 0, 1, 2]" expected a finite f32 number, or -Infinity where the key is masked, got "${x}"`,
      );
    }
  });

  it('draws every mask as defined', () => {
    expect(rows({ causal: 'top-left', seq_q: 3, seq_kv: 5 })).toEqual(['x....', 'xx...', 'xxx..']);
    expect(rows({ causal: 'bottom-right', seq_q: 3, seq_kv: 5 })).toEqual([
      'xxx..',
      'xxxx.',
      'xxxxx',
    ]);
    expect(rows({ causal: 'bottom-right', seq_q: 4, seq_kv: 2 })).toEqual(['..', '..', 'x.', 'xx']);
    expect(rows({ window: [1, 0], seq_q: 3, seq_kv: 4 })).toEqual(['x...', 'xx..', '.xx.']);
    expect(rows({ window: [0, 0], seq_q: 3, seq_kv: 4 })).toEqual(['x...', '.x..', '..x.']);
    expect(rows({ window: [0, -1], seq_q: 3, seq_kv: 4 })).toEqual(['xxxx', '.xxx', '..xx']);
    expect(rows({ window: [-1, 0], seq_q: 3, seq_kv: 4 })).toEqual(['x...', 'xx..', 'xxx.']);
    expect(rows({ window: [-1, 1], seq_q: 3, seq_kv: 4 })).toEqual(['xx..', 'xxx.', 'xxxx']);
    expect(rows({ window: [1, -1], causal: 'bottom-right', seq_q: 2, seq_kv: 4 })).toEqual([
      '.xx.',
      '..xx',
    ]);
    expect(rows({ lengths: [2], seq_q: 1, seq_kv: 4 })).toEqual(['xx..']);
    const media = (rule: 'immediate' | 'previous') =>
      rows({
        media: rule,
        seq_q: 3,
        seq_kv: 4,
        adjust: (inputs) => {
          inputs.media_text = tensorOf([0, 1, 2], [1, 3]);
          inputs.media_key = tensorOf([1, 1, 2, 3], [1, 4]);
        },
      });
    expect(media('immediate')).toEqual(['....', 'xx..', '..x.']);
    expect(media('previous')).toEqual(['....', 'xx..', 'xxx.']);
    expect(
      rows({
        mask: [4],
        causal: 'top-left',
        seq_q: 2,
        seq_kv: 4,
        adjust: (inputs) => {
          inputs.mask = tensorOf([0, 1, 1, 1], [4]);
        },
      }),
    ).toEqual(['....', '.x..']);
  });
});
