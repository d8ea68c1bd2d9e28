/** A diagnosis says nothing that is not so: what once it said, and what it says now. */
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import { near } from './agreement.ts';
import { diagnose } from './diagnose.ts';
import { insideOutputs } from './inside.ts';
import type { KeptAnswer, Observed } from './kept-answers.ts';
import { separating, threshold } from './separate.ts';

const [ROWS, WIDTH] = [4, 2];

/** A case of one head whose `out` came as `got`, eight numbers; bounds of a millionth. */
function answer(expected: readonly number[], got: readonly number[], id = 'a'): KeptAnswer {
  const partition = { ranks: 1, q: [ROWS], kv: [3] };
  const sizes = { batch: 1, heads: 1, kv_heads: 1, seq_q: ROWS, seq_kv: 3, head_dim: WIDTH };
  const scalars = { scale: 1, softcap: 0, dropout_rate: 0 };
  const parameters = { ...sizes, ...scalars, partition, wants: ['out'] };
  const bounds = new Float64Array(ROWS * WIDTH).fill(1e-6);
  const flat = { got: Float64Array.from(got), expected: Float64Array.from(expected) };
  return {
    id,
    question: { parameters } as unknown as AttentionCase,
    outputs: [
      {
        ...{ name: 'out', shape: [1, 1, ROWS, WIDTH], stored: 'F32', ...flat },
        ...{ decides: bounds, allows: bounds.slice() },
      },
    ],
    work: 1,
  };
}

const found = (...answers: KeptAnswer[]): string[] =>
  insideOutputs(answers, PROFILES.f32).flatMap(({ findings }) =>
    findings.map(({ sentence }) => sentence),
  );

const RIGHT = [0.1, 0.7, -0.3, 0.2, 0.9, -0.8, 0.4, 0.6];

describe('infinities', () => {
  it('are near themselves alone, however far one may be off', () => {
    const { POSITIVE_INFINITY: infinity } = Number;
    expect(near(1, infinity, infinity)).toBe(false);
    expect(near(-infinity, infinity, infinity)).toBe(false);
    expect(near(infinity, infinity, 0)).toBe(true);
    expect(near(1, 2, infinity)).toBe(true);
    expect(near(Number.NaN, 2, infinity)).toBe(false);
  });

  it('are no factor, constant or order of the right numbers', () => {
    const mixed = RIGHT.map((_, n) => (n % 2 === 0 ? 1 : -1) * Number.POSITIVE_INFINITY);
    for (const got of [mixed, RIGHT.map(() => Number.POSITIVE_INFINITY)]) {
      const said = found(answer(RIGHT, got)).join('; ');
      expect(said).not.toMatch(/times|off by|exchanged|order|late|early|should be$/);
    }
  });
});

describe('what is not asked for', () => {
  it('is not wrong, whatever it is; what has no bound is to be finite', () => {
    const one = answer(RIGHT, [Number.NaN, Number.POSITIVE_INFINITY, ...RIGHT.slice(2)]);
    const [output] = one.outputs;
    output!.decides[0] = Number.NaN;
    output!.decides[1] = Number.NaN;
    expect(insideOutputs([one], PROFILES.f32)).toEqual([]);
    output!.decides[1] = Number.POSITIVE_INFINITY;
    expect(insideOutputs([one], PROFILES.f32)).toMatchObject([
      { output: 'out', wrong: { cases: 1 } },
    ]);
  });
});

describe('rows one place late', () => {
  const shifted = [9, 9, ...RIGHT.slice(0, -WIDTH)];

  it('are told where they are', () => {
    expect(found(answer(RIGHT, shifted))).toContain('rows one place late');
  });

  it('are not told of equal rows that are right where they stand', () => {
    const equal = RIGHT.map((_, n) => RIGHT[n % WIDTH] ?? 0);
    const first = [5, 6, ...equal.slice(WIDTH)];
    expect(found(answer(equal, first))).toContain('only row 0');
    expect(found(answer(equal, first)).join()).not.toMatch(/late|early/);
    const last = [...equal.slice(0, -WIDTH), 5, 6];
    expect(found(answer(equal, last)).join()).not.toMatch(/late|early/);
  });
});

describe('a threshold', () => {
  it('is rounded so that what is said of all failing cases is so', () => {
    expect(threshold(3.1058, false)).toBe(3.1);
    expect(threshold(3.1058, true)).toBe(3.11);
    expect(threshold(0.00012345, true)).toBe(0.000124);
    expect(threshold(0.00012355, false)).toBe(0.000123);
    expect(threshold(-3.1058, false)).toBe(-3.11);
    expect(threshold(4097, false)).toBe(4097);
  });

  it('counts the passing cases that are beyond what is said', () => {
    const facts = (q: number) => ({
      traits: new Set<string>(),
      numbers: new Map([['the largest |q|', q]]),
    });
    const failing = [3.1058, 4, 5, 6].map(facts);
    const passing = [1, 2, 3.1, 3.102, 2.5, 0.5].map(facts);
    const { sentence } = separating(failing, passing, 'is wrong');
    expect(sentence).toBe(
      'every case that is wrong has the largest |q| ≥ 3.1, of 6 passing ones 2 too',
    );
  });

  it('of a magnitude is not told of two cases', () => {
    const facts = (place: number) => ({
      traits: new Set<string>(),
      numbers: new Map([['its place in the run', place]]),
    });
    const { sentence } = separating([25, 31].map(facts), [1, 2, 40].map(facts), 'is wrong');
    expect(sentence).toBe('no trait that was tried sets the failing cases apart');
  });
});

describe('a headline', () => {
  const none = { traits: new Set<string>(), numbers: new Map<string, number>() };
  const observed = (outcome: 'wrong' | 'broken', one: KeptAnswer | null, n: number): Observed => ({
    ...{ id: `case-${n}`, outcome, facts: none, answer: one, work: n },
  });
  const made = (all: readonly Observed[]) =>
    diagnose({ observed: all, profile: PROFILES.f32, zoo: async () => [] });

  it('says how many cases were looked into, where it was not all of them', async () => {
    const opposite = RIGHT.map((x) => -x);
    const all = (count: number) =>
      Array.from({ length: count }, (_, n) =>
        observed('wrong', { ...answer(RIGHT, opposite, `case-${n}`), work: n }, n),
      );
    expect((await made(all(8)))?.headline).toMatch(/out: −1 times what it should be\.$/);
    expect((await made(all(9)))?.headline).toMatch(
      /out: −1 times what it should be \(in the 8 smallest of 9\)\.$/,
    );
  });

  it('says something of a case that alone has no usable answer', async () => {
    const one = await made([observed('broken', null, 0)]);
    expect(one?.headline).toBe('1 case without a usable answer.');
  });
});
