import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROFILES, type ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import { readCase } from '../../reference/files/case-folder.ts';
import { readOutputs } from '../../reference/files/given-outputs.ts';
import { filled, flatOf, indexOf, mapTensor, toFlat } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { judge, judgeAgainst } from '../../reference/verdict/judge.ts';
import { honestOutputs } from './candidate.ts';
import { choicesArbitrary, type HonestChoices } from './choices.ts';

const FOUND = new URL('../../reference/testing/found/refused-honest/', import.meta.url).pathname;

const [PLAIN] = fc.sample(choicesArbitrary(PROFILES.f32), { numRuns: 1, seed: 1 }) as [
  HonestChoices,
];
const MASKINGS = ['absent', 'selected', 'added'] as const;

/** Programs that differ in what they do about invisible pairs, and where D comes from. */
const PROGRAMS: readonly HonestChoices[] = MASKINGS.flatMap((masking) =>
  (['output', 'keys'] as const).flatMap((delta) =>
    (['score', 'both'] as const).map((scale) => ({
      ...PLAIN,
      ...{ masking, delta, scale, order: 'sequential' as const, block: 1000 },
      ...{
        base: 'e' as const,
        elementary: 'rounded' as const,
        truncate: false,
        roundP: true,
        splits: 1,
      },
    })),
  ),
);

/** Elements, by name, of which some program makes no number. */
function lostBy(programs: readonly HonestChoices[], c: AttentionCase, profile: ProfileName) {
  const lost = new Set<string>();
  for (const choices of programs) {
    for (const [name, { tensor }] of Object.entries(honestOutputs(c, profile, choices))) {
      const empty = (x: number) => name === 'lse' && x === Number.NEGATIVE_INFINITY;
      toFlat(tensor).forEach((x, n) => {
        if (!Number.isFinite(x) && !empty(x)) lost.add(`${name}[${indexOf(tensor.shape, n)}]`);
      });
    }
  }
  return [...lost].sort();
}

function excusedOf(c: AttentionCase, profile: ProfileName): string[] {
  const expected = expectation(c, profile);
  return c.parameters.wants
    .flatMap((name) => {
      const excused = expected.excused(name);
      const all = excused === undefined ? [] : toFlat(excused);
      return all.flatMap((lost, n) => (lost ? [`${name}[${indexOf(excused!.shape, n)}]`] : []));
    })
    .sort();
}

type Inputs = Parameters<NonNullable<CaseChanges['adjust']>>[0];

/** Two batch entries, two KV heads of two query heads; key 3 is hidden from row (0, 0, 0), row 2 is empty. */
const caseOf = (changes: CaseChanges, adjust: (inputs: Inputs) => void): AttentionCase =>
  drawCase(6, {
    ...{ batch: 2, heads: 4, kv_heads: 2, seq_q: 3, seq_kv: 4, head_dim: 2, head_dim_v: 2 },
    ...{ scale: 1, bias: [2, 4, 3, 4], sink: changes.sink ?? true, mask: [2, 4, 3, 4] },
    ...{ judging: 'structured' as const, ...changes },
    adjust: (inputs) => {
      const { mask } = inputs;
      inputs.mask = filled(mask!.shape, 1);
      inputs.mask.set(0, 0, 0, 3, 0);
      for (const j of [0, 1, 2, 3]) inputs.mask.set(0, 0, 2, j, 0);
      adjust(inputs);
    },
  });

/** Every component of one row of an input. */
const row = (tensor: Inputs['q'], at: readonly number[], value: number): void => {
  for (let c = 0; c < (tensor!.shape.at(-1) ?? 0); c++) tensor!.set(...at, c, value);
};

const FAR = 2 ** 100;

/** What overflows, in which rows and keys. */
const CASES: Readonly<Record<string, [ProfileName, AttentionCase]>> = {
  'dO·V of a hidden pair': [
    'f32',
    caseOf({}, ({ v, d_out }) => {
      row(v, [0, 0, 3], FAR);
      row(d_out, [0, 0, 0], FAR);
    }),
  ],
  'dO·V of an empty row': [
    'f32',
    caseOf({ sink: false }, ({ v, d_out }) => {
      row(v, [0, 0, 1], FAR);
      row(d_out, [0, 0, 2], FAR);
    }),
  ],
  'the score of a hidden pair': [
    'f32',
    caseOf({}, ({ q, k }) => {
      row(q, [0, 0, 0], FAR);
      for (const j of [0, 1, 2]) row(k, [0, 0, j], 2 ** -100);
      row(k, [0, 0, 3], FAR);
      for (const [h, i] of [
        [0, 1],
        [1, 0],
        [1, 1],
        [1, 2],
      ] as const)
        row(q, [0, h, i], 2 ** -100);
    }),
  ],
  'the bias of a hidden pair, as a half': [
    'f16',
    caseOf({ dtype: 'f32' }, ({ bias }) => bias!.set(0, 0, 0, 3, 1e6)),
  ],
  'a value as a half': ['f16', caseOf({ dtype: 'f32' }, ({ v }) => v!.set(0, 0, 3, 1, 1e6))],
  'a cotangent as a half': [
    'f16',
    caseOf({ dtype: 'f32' }, ({ d_out }) => d_out!.set(0, 0, 2, 0, 1e6)),
  ],
  'a cotangent beside a sink and no key, as a half': [
    'f16',
    drawCase(6, {
      ...{ dtype: 'f32', seq_kv: 0, sink: true, judging: 'structured' },
      adjust: ({ d_out }) => d_out!.set(0, 1, 2, 0, 1e6),
    }),
  ],
  'the LSE gradient of an empty row, as a half': [
    'f16',
    caseOf({ dtype: 'f32', sink: false }, ({ d_lse }) => d_lse!.set(0, 0, 2, 1e6)),
  ],
};

describe('what is not visible and overflows', () => {
  for (const [name, [profile, c]] of Object.entries(CASES)) {
    it(`excuses, for ${name}, what some right program loses, and nothing else`, () => {
      const lost = lostBy(PROGRAMS, c, profile);
      expect(lost.length).toBeGreaterThan(0);
      expect(excusedOf(c, profile)).toEqual(lost);
      const { length } = Object.values(expectation(c, profile).values).flatMap((x) => toFlat(x));
      expect(lost.length).toBeLessThan(length / 2);
    });
  }

  it('is no matter to a program that never computes it', () => {
    const absent = PROGRAMS.filter(({ masking }) => masking === 'absent');
    for (const name of ['dO·V of a hidden pair', 'the score of a hidden pair']) {
      const [profile, c] = CASES[name]!;
      expect(lostBy(absent, c, profile)).toEqual([]);
    }
  });

  it('excuses nothing in a case whose poison nobody sees', () => {
    const c = caseOf({}, ({ v, d_out, mask }) => {
      for (const h of [0, 1]) for (const i of [0, 1, 2]) mask!.set(0, h, i, 3, 0);
      row(v, [0, 0, 3], Number.POSITIVE_INFINITY);
      row(d_out, [0, 0, 1], FAR);
    });
    expect(excusedOf(c, 'f32')).toEqual([]);
  });
});

describe('found cases', () => {
  const names = ['invisible-pair-overflows', 'recomputed-v-overflows'];
  for (const name of names) {
    it(`${name}: right programs pass, and what they do not lose is judged`, () => {
      const c = readCase(`${FOUND}${name}`);
      const found = readOutputs(`${FOUND}${name}`, c);
      if (!found.ok) throw new Error(found.reason);
      for (const outputs of [found.outputs, ...PROGRAMS.map((p) => honestOutputs(c, 'f32', p))]) {
        expect(judge(c, outputs, 'f32')).toMatchObject({ verdict: 'pass' });
      }
      const excused = new Set(excusedOf(c, 'f32'));
      const expected = expectation(c, 'f32');
      const right = honestOutputs(c, 'f32', { ...PLAIN, masking: 'absent' });
      for (const [key, { tensor, dtype }] of Object.entries(right)) {
        const output = key as OutputName;
        toFlat(tensor).forEach((_, n) => {
          const at = indexOf(tensor.shape, n);
          const wrong = mapTensor(tensor, (x) => x);
          wrong.set(...at, Number.NaN);
          const { verdict } = judgeAgainst(expected, {
            ...right,
            [output]: { dtype, tensor: wrong },
          });
          const free = excused.has(`${output}[${at}]`);
          expect([output, at, verdict]).toEqual([output, at, free ? 'pass' : 'impossible']);
          expect(flatOf(tensor.shape, at)).toBe(n);
        });
      }
    });
  }
});
