import type { BigNumber } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { big } from '../arithmetic/big.ts';
import { doubleDouble } from '../arithmetic/double-double.ts';
import { type AttentionCase, OUTPUT_NAMES, type OutputName } from '../case.ts';
import { drawCase } from '../draw-case.ts';
import { evaluate } from '../reference.ts';
import { magnitudeOf } from '../stored-file.ts';
import { type Tensor, toFlat } from '../tensor.ts';
import { hostileCase } from '../testing/containment.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { type Certified, certify, certifySized } from './certify.ts';

const DIGITS = 80;
const system = big(DIGITS);

/** Sentences about elements outside their ball; and how many balls say something. */
function missed(truth: Partial<Record<OutputName, Tensor<BigNumber | null>>>, given: Certified) {
  const sentences: string[] = [];
  let [finite, all] = [0, 0];
  for (const [name, { mid, radius }] of Object.entries(given)) {
    const exact = toFlat(truth[name as OutputName] as Tensor<BigNumber | null>);
    const [mids, radii] = [toFlat(mid), toFlat(radius)];
    expect(mids.length).toBe(exact.length);
    exact.forEach((value, n) => {
      const [x, r] = [mids[n] as number, radii[n] as number];
      all++;
      if (value === null) {
        if (x !== -Infinity || r !== 0) sentences.push(`${name}[${n}]: not an empty row`);
        finite++;
        return;
      }
      if (r === Infinity) return;
      finite++;
      const center = system.fromNumber(x);
      if (!(r >= 0) || center.minus(value).abs().greaterThan(system.fromNumber(r))) {
        sentences.push(`${name}[${n}]: ${value} is not within ${r} of ${x}`);
      }
    });
  }
  return { sentences, finite, all };
}

function check(attentionCase: AttentionCase, names: readonly string[]) {
  const certified = certify(attentionCase);
  const wanted = attentionCase.parameters.wants.filter((name) => names.includes(name));
  expect(Object.keys(certified).sort()).toEqual([...wanted].sort());
  return missed(evaluate(system, attentionCase), certified);
}

const DONE = OUTPUT_NAMES;

describe('certify in float64', () => {
  for (const [name, changes] of FEATURE_CASES) {
    it(`encloses the truth: ${name}`, () => {
      for (const seed of [1, 2]) {
        const { sentences, finite, all } = check(drawCase(seed, changes), DONE);
        expect(sentences).toEqual([]);
        expect(finite).toBe(all);
      }
    });
  }

  it('encloses the truth on hostile values', () => {
    let checked = 0;
    for (let seed = 100; seed < 160; seed++) {
      const [name, c] = hostileCase(seed);
      const { sentences, finite } = check(c, DONE);
      expect([name, sentences]).toEqual([name, []]);
      checked += finite;
    }
    expect(checked).toBeGreaterThan(3000);
  });

  // Several tiles of rows, several ranges of keys, and neither a multiple of anything.
  const large = drawCase(5, {
    ...{ heads: 2, kv_heads: 1, seq_q: 141, seq_kv: 1093, head_dim: 5, head_dim_v: 3 },
    ...{ causal: 'bottom-right', bias: [1, 1, 1, 1093], sink: true, dropout_rate: 0.25 },
  });
  const certified = certify(large);

  it('encloses the truth over many tiles, and is not far wider than its errors', () => {
    const truth = evaluate(doubleDouble, large);
    expect(Object.keys(certified).sort()).toEqual([...large.parameters.wants].sort());
    for (const [name, { mid, radius }] of Object.entries(certified)) {
      const exact = toFlat(truth[name as OutputName]!);
      const radii = toFlat(radius);
      let worst = 0;
      toFlat(mid).forEach((x, n) => {
        const { hi, lo } = exact[n]!;
        worst = Math.max(worst, Math.abs(x - hi - lo) / radii[n]!);
      });
      expect([name, worst <= 1]).toEqual([name, true]);
      // A radius ten thousand times the largest error would be worthless, and hide a wrong one.
      expect([name, worst > 1e-4]).toEqual([name, true]);
    }
  });

  it('gives chosen rows and keys the same bits as all of them', () => {
    const rows = [0, 5, 127, 128, 140];
    const keys = [3, 128, 1023, 1024, 1092];
    const chosen = certify(large, { rows, keys });
    expect(Object.keys(chosen).sort()).toEqual(['d_k', 'd_q', 'd_v', 'lse', 'out']);
    const pick = (name: 'out' | 'lse' | 'd_q' | 'd_k' | 'd_v', list: number[]) => {
      const { mid } = certified[name]!;
      const [b = 0, h = 0, n = 0, width = 1] = mid.shape;
      const all = toFlat(mid);
      return Array.from({ length: b * h }, (_, head) =>
        list.map((i) => all.slice((head * n + i) * width, (head * n + i + 1) * width)),
      ).flat(2);
    };
    for (const name of ['out', 'lse', 'd_q'] as const) {
      expect([name, toFlat(chosen[name]!.mid)]).toEqual([name, pick(name, rows)]);
    }
    for (const name of ['d_k', 'd_v'] as const) {
      expect([name, toFlat(chosen[name]!.mid)]).toEqual([name, pick(name, keys)]);
    }
  });

  it('makes of |V| beside V what it makes of |V| alone, and V none the worse', () => {
    const { certified: beside, valueSizes } = certifySized(large, { rows: [0, 127, 140] });
    expect(beside).toEqual(certify(large, { rows: [0, 127, 140] }));
    const { out } = certify(
      { ...large, inputs: { ...large.inputs, v: magnitudeOf(large.inputs.v!) } },
      { rows: [0, 127, 140] },
    );
    const radii = toFlat(out!.radius);
    expect([...valueSizes]).toEqual(toFlat(out!.mid).map((x, n) => x + radii[n]!));
  });

  it('says nothing where something overflows, and nothing false beside it', () => {
    const huge = drawCase(3, {
      dtype: 'f64',
      adjust: ({ q }) => {
        q?.set(0, 0, 0, 0, 1e200);
        q?.set(0, 0, 0, 1, -1e200);
      },
      scale: 1e200,
    });
    const { out } = certify(huge);
    expect(out?.radius.get(0, 0, 0, 0)).toBe(Infinity);
  });
});
