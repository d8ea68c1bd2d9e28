import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { uspGroup } from '../gpu/schedules/groups.ts';
import { honestHost } from '../properties/zoo/host.ts';
import { PROFILE_NAMES, type ProfileName } from '../reference/bounds/lemmas/profile.ts';
import {
  type AttentionCase,
  DTYPES,
  type Dtype,
  INPUT_NAMES,
  type OutputName,
  type Outputs,
} from '../reference/case/case.ts';
import { FEATURE_WORDS, featureWords } from '../reference/case/features.ts';
import type { GivenOutputs } from '../reference/case/given.ts';
import { referenceOutputs } from '../reference/definition/reference.ts';
import { roundTo } from '../reference/numbers/format.ts';
import { mapTensor, type Tensor, toFlat } from '../reference/numbers/tensor.ts';
import { expectation } from '../reference/verdict/expectation.ts';
import { judge, judgeAgainst } from '../reference/verdict/judge.ts';
import { suite } from './suite.ts';

const core = suite('core', 'f32').map((one) => ({ ...one, built: one.build() }));

const given = (outputs: Outputs, dtype = 'F64'): GivenOutputs =>
  Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, { dtype, tensor }]));

describe('the suites', () => {
  it('are as large as promised, each id once', () => {
    const gradients = core.filter(({ built }) => featureWords(built).includes('backward'));
    expect(core.length).toBeGreaterThanOrEqual(200);
    expect(gradients.length).toBeGreaterThanOrEqual(80);
    expect(suite('smoke', 'f32').length).toBeGreaterThanOrEqual(30);
    for (const name of ['smoke', 'core', 'full'] as const) {
      const ids = suite(name, 'f32').map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.every((id) => id.startsWith(`${name}/`))).toBe(true);
    }
  });

  it('have every feature word, in smoke and in core', () => {
    for (const name of ['smoke', 'core'] as const) {
      const words = new Set(suite(name, 'f32').flatMap((one) => featureWords(one.build())));
      const missing = [...FEATURE_WORDS, ...DTYPES].filter((word) => !words.has(word));
      // smoke aligns causally and has every other feature through its single-feature cases
      expect(missing).toEqual([]);
    }
  });

  it('have every pair of features in core', () => {
    const together = new Set<string>();
    for (const { built } of core) {
      const words = featureWords(built);
      for (const a of words) for (const b of words) together.add(`${a}+${b}`);
    }
    const words = FEATURE_WORDS.filter((word) => !['forward', 'poison'].includes(word));
    const missing = words
      .flatMap((a) => words.map((b) => `${a}+${b}`))
      .filter((pair) => !together.has(pair));
    expect(missing).toEqual([
      'causal-top-left+causal-bottom-right',
      'causal-bottom-right+causal-top-left',
    ]);
  });

  it('have every feature where heads come out even over several ranks, and these are a grid', () => {
    const words = core
      .filter(({ built: { parameters: p } }) => {
        const { ranks } = p.partition;
        return p.heads % ranks === 0 && uspGroup({ ranks, heads: p.heads }) > 1;
      })
      .flatMap(({ built }) => featureWords(built));
    expect(FEATURE_WORDS.filter((word) => !words.includes(word))).toEqual(['poison']);
  });

  it('have partitions of 1, 2, 3, 4, 5 and 7 ranks, even, uneven, with empty shards', () => {
    for (const ranks of [1, 2, 3, 4, 5, 7]) {
      const parts = core
        .map(({ built }) => built.parameters.partition)
        .filter((p) => p.ranks === ranks);
      expect(parts.some(({ q, kv }) => new Set(q).size === 1 && new Set(kv).size === 1)).toBe(true);
      if (ranks === 1) continue;
      expect(parts.some(({ q, kv }) => new Set(q).size > 1 && new Set(kv).size > 1)).toBe(true);
      expect(parts.some(({ kv, q }) => kv.includes(0) && !q.every((size) => size === 0))).toBe(
        true,
      );
      expect(parts.some(({ q }) => q.includes(0))).toBe(true);
    }
  });

  it('are valid in every dtype', () => {
    for (const dtype of DTYPES) {
      for (const one of suite('core', dtype)) expect(() => one.build(), one.id).not.toThrow();
    }
  });

  it('refuse who adds no mask that is a number, in every dtype', () => {
    for (const profile of PROFILE_NAMES) {
      const dtype = profile === 'tf32' ? 'f32' : profile;
      const masking = suite('core', dtype).filter(({ id }) => /bias\/(minus|lowest)/.test(id));
      expect(masking).toHaveLength(4);
      for (const one of masking) {
        const built = one.build();
        const seen = mapTensor(built.inputs.bias!, (x) => (x < -1000 ? 0 : x));
        const answers = [built, { ...built, inputs: { ...built.inputs, bias: seen } }].map((c) =>
          judge(
            built,
            Object.fromEntries(
              Object.entries(referenceOutputs(c)).map(([name, tensor]) => [
                name,
                { dtype: 'F64' as const, tensor },
              ]),
            ),
            profile,
          ),
        );
        const verdicts = answers.map(({ verdict }) => verdict);
        expect([profile, one.id, verdicts]).toEqual([profile, one.id, ['pass', 'impossible']]);
      }
    }
  });

  it('have pinned bits: the same inputs on every machine', () => {
    const hash = createHash('sha256');
    for (const { built } of core) {
      for (const name of INPUT_NAMES) {
        const tensor = built.inputs[name];
        if (tensor !== undefined)
          hash.update(new Uint8Array(Float64Array.from(toFlat(tensor)).buffer));
      }
    }
    expect(hash.digest('hex')).toMatchInlineSnapshot(
      `"ec39f9c6b6c962e3936162e6c5dbd36a33a3389d3d614d87d8189dcddd6f91b5"`,
    );
  });

  it('have other numbers, and other answers, at another seed', () => {
    const bits = (tensors: Readonly<Record<string, Tensor | undefined>>) =>
      Object.values(tensors).flatMap((tensor) => (tensor === undefined ? [] : toFlat(tensor)));
    const builds = [1, 2, 3].map((seed) =>
      suite('core', 'f32', { seed }).map((one) => one.build()),
    );
    const [first = []] = builds;
    const alike = (values: (c: AttentionCase) => readonly number[]) =>
      first
        .map((_, n) => builds.map((cases) => JSON.stringify(values(cases[n]!))))
        .flatMap(([a, ...others], n) =>
          others.every((other) => other === a) ? [first[n]!.parameters.id] : [],
        );
    expect(alike(({ inputs }) => bits(inputs))).toEqual([]);
    expect(alike((c) => bits(referenceOutputs(c)))).toEqual([]);
  });

  it('have other heads, sizes or widths at another seed, but where a name or a sum speaks of them', () => {
    const extents = ({ parameters: p }: AttentionCase) =>
      [p.batch, p.heads, p.kv_heads, p.seq_q, p.seq_kv, p.head_dim, p.head_dim_v].join();
    const builds = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) =>
      suite('core', 'f32', { seed }).map((one) => one.build()),
    );
    const fixed = builds[0]!
      .filter((_, n) => new Set(builds.map((cases) => extents(cases[n]!))).size === 1)
      .map(({ parameters }) => parameters.id);
    const named =
      /^core\/(size\/.*|shape\/(keys|queries)-\d+-one-rank|shape\/head-dim-\d+|probe\/.*-stands?-still)$/;
    expect(fixed.filter((id) => !named.test(id))).toEqual([]);
    expect(fixed.length).toBeLessThan(30);
    // A case of one head has one head still, and so on: what it is stays.
    const kind = ({ parameters: p }: AttentionCase) =>
      [p.batch === 1, p.heads === 1, p.heads === p.kv_heads, Math.sign(p.seq_q - p.seq_kv)].join();
    for (const [n, first] of builds[0]!.entries()) {
      for (const cases of builds) {
        expect([first.parameters.id, kind(cases[n]!)]).toEqual([first.parameters.id, kind(first)]);
      }
    }
  });

  it('have one size throughout a sequence, whatever the seed', () => {
    for (const seed of [1, 2, 3]) {
      const sequence = suite('core', 'f32', { seed }).filter((one) => one.sequence !== undefined);
      const sizes = sequence.map((one) => {
        const p = one.build().parameters;
        return [p.batch, p.heads, p.seq_q, p.seq_kv, p.head_dim, p.head_dim_v].join();
      });
      expect(sequence.length).toBeGreaterThan(30);
      expect(new Set(sizes).size).toBe(1);
    }
  });

  it('keep a case’s bits when the seed is the same and change them when it is not', () => {
    const bits = (seed: number) => toFlat(suite('smoke', 'f32', { seed })[0]!.build().inputs.q!);
    expect(bits(3)).toEqual(bits(3));
    expect(bits(3)).not.toEqual(bits(4));
  });
});

/** What a perfect candidate of a profile stores: the reference rounded to the output format. */
function perfect(outputs: Outputs, profile: ProfileName): GivenOutputs {
  const format = profile === 'tf32' ? 'f32' : profile;
  const rounded = Object.entries(outputs).map(([name, tensor]) => {
    const target = name === 'lse' && profile !== 'f64' ? 'f32' : format;
    return [name, { dtype: 'F64', tensor: mapTensor(tensor, (x) => roundTo(target, x)) }];
  });
  return Object.fromEntries(rounded);
}

describe('peace: the reference itself passes, and so does the honest host of the zoo', () => {
  const profiles: [ProfileName, Dtype][] = [
    ['f64', 'f64'],
    ['f32', 'f32'],
    ['tf32', 'f32'],
    ['f16', 'f16'],
    ['bf16', 'bf16'],
  ];
  for (const [profile, dtype] of profiles) {
    it(`at ${profile}, on every case of core, with a finite bound for every element`, () => {
      const unbounded: string[] = [];
      const host = honestHost(profile);
      for (const one of suite('core', dtype)) {
        const built = one.build();
        if (built.parameters.dtype !== dtype) continue;
        const expected = expectation(built, profile);
        const { verdict, reason } = judgeAgainst(expected, perfect(expected.values, profile));
        expect(`${one.id} ${verdict}: ${reason}`).toContain(`${one.id} pass`);
        if (reason.includes('no finite bound')) unbounded.push(one.id);
        const hosted = judgeAgainst(expected, given(host(built)));
        expect(`${one.id} ${hosted.verdict}: ${hosted.reason}`).toContain(`${one.id} pass`);
      }
      expect(unbounded).toEqual([]);
    });
  }
});

/** A fault as a change to right outputs; null where it changes nothing. */
type Mutation = (outputs: Outputs) => Outputs;
const change =
  (name: OutputName, f: (x: number, n: number) => number): Mutation =>
  (outputs) => {
    const tensor = outputs[name];
    let n = 0;
    return tensor === undefined
      ? outputs
      : { ...outputs, [name]: mapTensor(tensor, (x) => f(x, n++)) };
  };
const GRADIENTS: OutputName[] = ['d_q', 'd_k', 'd_v', 'd_bias', 'd_sink', 'd_y', 'd_w_k', 'd_w_v'];

describe('power: wrong answers are refused', () => {
  const mutations: [string, Mutation][] = [
    ...(['out', 'lse', ...GRADIENTS] as const).flatMap((name): [string, Mutation][] => [
      [`${name} zero`, change(name, () => 0)],
      [`${name} off by 1e-3`, change(name, (x) => x * (1 + 1e-3))],
      [`${name} of the other sign`, change(name, (x) => -x)],
      [`${name} NaN in one place`, change(name, (x, n) => (n === 0 ? Number.NaN : x))],
    ]),
    [
      'out of a phantom key',
      (o) => {
        const lse = toFlat(o.lse!);
        const width = o.out!.shape[3] ?? 1;
        return change('out', (x, n) => x / (1 + Math.exp(-lse[Math.floor(n / width)]!)))(o);
      },
    ],
    ['lse in base 2', change('lse', (x) => x / Math.LN2)],
    ['lse rounded to bf16', change('lse', (x) => roundTo('bf16', x))],
    ['out rounded to bf16', change('out', (x) => roundTo('bf16', x))],
  ];
  const sample = core
    .filter((_, n) => n % 3 === 0)
    .map(({ built }) => ({ expected: expectation(built, 'f32'), values: referenceOutputs(built) }));
  for (const [name, mutate] of mutations) {
    it(name, () => {
      const killed = sample.filter(
        ({ expected, values }) => judgeAgainst(expected, given(mutate(values))).verdict !== 'pass',
      );
      expect(killed.length).toBeGreaterThan(0);
    });
  }
});
