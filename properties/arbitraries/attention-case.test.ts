import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEATURE_WORDS, featureWords } from '../../reference/case/features.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { buildCase, type CaseRecipe, caseArbitrary, recipeArbitrary } from './attention-case.ts';
import { LAYOUTS } from './partition.ts';
import { REGIMES } from './values.ts';

const SEED = 20241124;
const DRAWS = 4000;

/** Everything that a case is about, as words. */
function traits(recipe: CaseRecipe): string[] {
  const words: string[] = featureWords(buildCase(recipe)).filter((word) => word !== 'forward');
  words.push(`scores ${recipe.scoreRegime}`, `values ${recipe.valueRegime}`);
  words.push(`layout ${recipe.layout.kind}`);
  if (recipe.bias !== null && recipe.bias.shift !== 0) words.push(`shift ${recipe.bias.shift}`);
  if (recipe.shape.seq_kv === 0) words.push('no keys');
  const bias = buildCase(recipe).inputs.bias;
  if (bias !== undefined && toFlat(bias).includes(-Infinity)) words.push('masked by bias');
  return words;
}

/** Pairs that no valid case has. */
function impossible(a: string, b: string): boolean {
  const kind = (word: string): string => {
    if (['f64', 'f32', 'f16', 'bf16'].includes(word)) return 'dtype';
    return word.startsWith('causal-') ? 'causal' : (word.split(' ')[0] ?? word);
  };
  if (kind(a) === kind(b)) return true;
  const pair = new Set([a, b]);
  const both = (x: string, y: string): boolean => pair.has(x) && pair.has(y);
  // dLSE is an input of the backward pass; recomputed K and V, or none, cannot hold poison; a single rank is even.
  return (
    both('poison', 'recompute') || both('poison', 'no keys') || both('layout single', 'uneven')
  );
}

describe('cases drawn at random', () => {
  it('are valid, and every pair of features, regimes, dtypes and layouts that can occur does', () => {
    const seen = new Map<string, number>();
    for (const recipe of fc.sample(recipeArbitrary(), { numRuns: DRAWS, seed: SEED })) {
      const words = traits(recipe).sort();
      for (const [n, a] of words.entries()) {
        for (const b of words.slice(n + 1)) {
          seen.set(`${a} + ${b}`, (seen.get(`${a} + ${b}`) ?? 0) + 1);
        }
      }
    }
    const all = [
      ...FEATURE_WORDS.filter((word) => word !== 'forward'),
      ...['f64', 'f32', 'f16', 'bf16', 'shift 300', 'shift -300', 'no keys', 'masked by bias'],
      ...REGIMES.flatMap((name) => [`scores ${name}`, `values ${name}`]),
      ...LAYOUTS.map((name) => `layout ${name}`),
    ].sort();
    const possible = all.flatMap((a, n) =>
      all
        .slice(n + 1)
        .filter((b) => !impossible(a, b))
        .map((b) => `${a} + ${b}`),
    );
    const counts = possible.map((pair) => [pair, seen.get(pair) ?? 0] as const);
    const rarest = [...counts].sort((x, y) => x[1] - y[1]).slice(0, 5);
    console.log(
      `${possible.length} possible pairs in ${DRAWS} draws; rarest: ${rarest.map(([pair, n]) => `${pair} ${n}`).join(', ')}`,
    );
    expect(counts.filter(([, n]) => n === 0).map(([pair]) => pair)).toEqual([]);
    expect([...seen.keys()].filter((pair) => !possible.includes(pair))).toEqual([]);
  });

  it('are the same bits for the same seed, and others for another', () => {
    const draw = (seed: number) =>
      JSON.stringify(fc.sample(caseArbitrary(), { numRuns: 20, seed }));
    expect(draw(1)).toBe(draw(1));
    expect(draw(1)).not.toBe(draw(2));
  });

  it('shrink through valid cases to one query, one key and one head', () => {
    const result = fc.check(
      fc.property(caseArbitrary(), ({ parameters, inputs, judging }) => {
        validateCase(parameters, inputs, judging);
        return parameters.seq_kv < 3 || inputs.sink === undefined;
      }),
      { seed: 3, numRuns: 1000 },
    );
    expect(result.failed).toBe(true);
    const { parameters, inputs } = result.counterexample![0];
    const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v, partition, wants } = parameters;
    expect({ batch, heads, seq_q, seq_kv, head_dim, head_dim_v, wants, partition }).toEqual({
      ...{ batch: 1, heads: 1, seq_q: 1, seq_kv: 3, head_dim: 1, head_dim_v: 1 },
      ...{ wants: ['out', 'lse'], partition: { ranks: 1, q: [1], kv: [3] } },
    });
    expect(Object.keys(inputs).sort()).toEqual(['k', 'q', 'sink', 'v']);
  });

  it('keep the numbers that are left when they shrink', () => {
    const [recipe] = fc.sample(recipeArbitrary({ without: ['recompute', 'poison'] }), {
      seed: 5,
      numRuns: 1,
    });
    const smaller = { ...recipe!, shape: { ...recipe!.shape, seq_q: 1, head_dim: 1 } };
    const at = (built: ReturnType<typeof buildCase>) => built.inputs.q!.get(0, 0, 0, 0);
    expect(at(buildCase(smaller))).toBe(at(buildCase(recipe!)));
  });

  it('leave out what they are told to leave out', () => {
    const plain = fc.sample(
      caseArbitrary({ without: ['bias', 'sink', 'mask', 'causal'], dtypes: ['f16'] }),
      { numRuns: 200, seed: 1 },
    );
    const words = new Set<string>(plain.flatMap((c) => featureWords(c)));
    for (const word of ['bias', 'sink', 'mask', 'causal-top-left', 'f32']) {
      expect(words.has(word)).toBe(false);
    }
    expect(words.has('window')).toBe(true);
  });
});
