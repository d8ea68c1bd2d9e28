/** A merge of given parts: the fold of the one merge, over any tree, exactly; and the oracle's answer to it. */
import fc from 'fast-check';
import { fraction } from 'mathjs';
import { describe, expect, it } from 'vitest';
import type { AttentionCase, CaseInputs } from '../case/case.ts';
import { partsAsKeys } from '../case/merge-case.ts';
import { validateCase } from '../case/validate.ts';
import { rational } from '../numbers/rational.ts';
import { tensorOf, toFlat } from '../numbers/tensor.ts';
import { ANSWER_FORMATS, judgeNasty } from '../testing/nasty-check.ts';
import { finish, merge, type PartialResult } from './merge.ts';
import { evaluate } from './reference.ts';

const NEVER = Number.NEGATIVE_INFINITY;

interface Part {
  readonly lse: number;
  readonly o: readonly number[];
}

/** Rows of parts, [rows][parts], as a merge of one head. */
function mergeOf(rows: readonly (readonly Part[])[], dtype: 'f64' | 'f32' = 'f64'): AttentionCase {
  const [parts, width] = [rows[0]!.length, rows[0]![0]!.o.length];
  const at = <T>(read: (part: Part) => T[]) =>
    Array.from({ length: parts }, (_, p) => rows.flatMap((row) => read(row[p]!))).flat();
  const inputs: CaseInputs = {
    outs: tensorOf<number>(
      at(({ o }) => [...o]),
      [parts, 1, 1, rows.length, width],
    ),
    lses: tensorOf<number>(
      at(({ lse }) => [lse]),
      [parts, 1, 1, rows.length],
    ),
  };
  const sizes = { batch: 1, heads: 1, seq_q: rows.length, head_dim_v: width };
  const parameters = { schema: 1, id: 'm', op: 'merge', dtype, ...sizes, wants: ['out', 'lse'] };
  return validateCase(parameters, inputs);
}

const partArbitrary = fc.record({
  lse: fc.oneof(fc.integer({ min: -40, max: 40 }), fc.constant(NEVER)),
  o: fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })),
});

describe('a merge of given parts', () => {
  it('is the fold of the merge, in any order, on rationals in base 2, with nothing to spare', () => {
    const rows = fc.integer({ min: 1, max: 5 }).chain((parts) =>
      fc.array(fc.array(partArbitrary, { minLength: parts, maxLength: parts }), {
        minLength: 1,
        maxLength: 3,
      }),
    );
    fc.assert(
      fc.property(rows, fc.nat(100), (given, turn) => {
        const c = mergeOf(given);
        const out = evaluate(rational, { ...c, parameters: { ...c.parameters, wants: ['out'] } })
          .out!;
        given.forEach((row, i) => {
          const turned = row.map((_, n) => row[(n + turn) % row.length]!);
          const whole = turned.reduce<PartialResult<ReturnType<typeof fraction>>>(
            (sum, { lse, o }) =>
              lse === NEVER
                ? sum
                : merge(rational, sum, {
                    m: fraction(lse),
                    l: fraction(1),
                    o: o.map((x) => fraction(x)),
                  }),
            null,
          );
          const expected = finish(rational, whole) ?? [fraction(0), fraction(0)];
          expected.forEach((x, e) => {
            expect(out.get(0, 0, i, e)!.toFraction()).toBe(x.toFraction());
          });
        });
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it('by hand: parts of LSE 0 and 1 weigh 1/3 and 2/3 in base 2; a part without keys nothing', () => {
    const row = [
      { lse: 0, o: [3] },
      { lse: 1, o: [6] },
      { lse: NEVER, o: [Number.NaN] },
    ];
    const c = mergeOf([row]);
    const { out } = evaluate(rational, { ...c, parameters: { ...c.parameters, wants: ['out'] } });
    expect(toFlat(out!).map((x) => x!.toFraction())).toEqual(['5']);
    expect(c.parameters.seq_kv).toBe(3);
    expect(partsAsKeys(c).parameters.op).toBe(undefined);
  });

  it('is rounded and enclosed as an evaluation of its own says, in every format', () => {
    const rows = [
      [
        { lse: 1.5, o: [1, -3] },
        { lse: -0.25, o: [1e-30, 7] },
        { lse: NEVER, o: [0, 0] },
      ],
      [
        { lse: 300, o: [1, 2] },
        { lse: 301, o: [3, -2] },
        { lse: 299.5, o: [5, 0.5] },
      ],
      [
        { lse: -4000, o: [1, 0] },
        { lse: 88, o: [3, -2] },
        { lse: 87, o: [5, 1e30] },
      ],
      [
        { lse: NEVER, o: [0, 0] },
        { lse: NEVER, o: [0, 0] },
        { lse: NEVER, o: [0, 0] },
      ],
      // Ties: the halves of odd sums.
      [
        { lse: 2, o: [1 + 2 ** -23, 1] },
        { lse: 2, o: [1, 1 + 2 ** -52] },
        { lse: NEVER, o: [0, 0] },
      ],
    ];
    for (const format of ANSWER_FORMATS) {
      const { wrong, undecided, checked } = judgeNasty(mergeOf(rows), format);
      expect([format, wrong, undecided, checked]).toEqual([format, [], 0, 15]);
    }
  });
});

describe('a merge that is none', () => {
  const row = [
    { lse: 0, o: [3] },
    { lse: 1, o: [6] },
  ];
  const good = mergeOf([row]);
  const fields = { schema: 1, id: 'm', op: 'merge', dtype: 'f32' };
  const all = { ...fields, batch: 1, heads: 1, seq_q: 1, head_dim_v: 1, wants: ['out'] };
  const refused = (parameters: object, inputs: CaseInputs): string => {
    try {
      validateCase(parameters, inputs);
    } catch (error) {
      return (error as Error).message;
    }
    return 'taken';
  };
  it.each([
    ['an unknown step', { ...all, op: 'merges' }, good.inputs, /"op" expected one of "merge"/],
    [
      'a gradient',
      { ...all, wants: ['d_q'] },
      good.inputs,
      /"wants" expected "out" and "lse" alone/,
    ],
    ['no LSEs', all, { outs: good.inputs.outs! }, /"lses" expected a tensor, got none/],
    [
      'queries',
      all,
      { ...good.inputs, q: tensorOf([1], [1, 1, 1, 1]) },
      /"q" expected no tensor in a merge/,
    ],
    [
      'fewer LSEs',
      all,
      { ...good.inputs, lses: tensorOf([0], [1, 1, 1, 1]) },
      /"lses" expected shape \[2,1,1,1\]/,
    ],
    [
      'an LSE of NaN',
      all,
      { ...good.inputs, lses: tensorOf([0, Number.NaN], [2, 1, 1, 1]) },
      /"lses\[1, 0, 0, 0\]" expected a finite f32 number, or -Infinity/,
    ],
    [
      'an LSE of ∞',
      all,
      { ...good.inputs, lses: tensorOf([0, Infinity], [2, 1, 1, 1]) },
      /finite f32 number/,
    ],
    [
      'an LSE of more bits than f32 has',
      all,
      { ...good.inputs, lses: tensorOf([0, 0.1], [2, 1, 1, 1]) },
      /finite f32 number/,
    ],
    [
      'a NaN in a part that has keys',
      all,
      { ...good.inputs, outs: tensorOf([1, Number.NaN], [2, 1, 1, 1, 1]) },
      /"outs\[1, 0, 0, 0, 0\]" expected a finite number of a part that has keys/,
    ],
    [
      'no part',
      all,
      { outs: tensorOf<number>([], [0, 1, 1, 1, 1]), lses: tensorOf<number>([], [0, 1, 1, 1]) },
      /"outs" expected from 1 to 4096 parts, got 0/,
    ],
  ] as const)('%s is refused by name', (_, parameters, inputs, message) => {
    expect(refused(parameters, inputs)).toMatch(message);
  });

  it('does not read the fields that it does not speak of', () => {
    const more = { ...all, seq_kv: 33, kv_heads: 7, head_dim: 4, scale: 0.25, causal: 'none' };
    expect(refused(more, good.inputs)).toBe('taken');
    expect(refused({ ...all, colour: 1 }, good.inputs)).toMatch(/"colour" expected no field/);
  });

  it('has f32 LSEs whatever format O is stored in', () => {
    const inputs = { ...good.inputs, lses: tensorOf([0, Math.fround(0.1)], [2, 1, 1, 1]) };
    expect(refused({ ...all, dtype: 'bf16' }, inputs)).toBe('taken');
  });
});
