import type { BigNumber } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { big } from '../arithmetic/big.ts';
import type { AttentionCase, OutputName } from '../case.ts';
import { drawCase } from '../draw-case.ts';
import { evaluate } from '../reference.ts';
import { type Tensor, toFlat } from '../tensor.ts';
import { hostileCase } from '../testing/containment.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { type Certified, certify } from './certify.ts';

const DIGITS = 80;
const system = big(DIGITS);

/** Sentences about elements outside their ball; and how many balls say something. */
function missed(truth: Partial<Record<OutputName, Tensor<BigNumber | null>>>, given: Certified) {
  const sentences: string[] = [];
  let [finite, all] = [0, 0];
  for (const [name, { mid, low, radius }] of Object.entries(given)) {
    const exact = toFlat(truth[name as OutputName] as Tensor<BigNumber | null>);
    const [mids, radii] = [toFlat(mid), toFlat(radius)];
    const lows = low === null ? null : toFlat(low);
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
      const center = system.fromNumber(x).plus(system.fromNumber(lows?.[n] ?? 0));
      if (!(r >= 0) || center.minus(value).abs().greaterThan(system.fromNumber(r))) {
        sentences.push(`${name}[${n}]: ${value} is not within ${r} of ${x}`);
      }
    });
  }
  return { sentences, finite, all };
}

function check(attentionCase: AttentionCase, names: readonly string[]) {
  const certified = certify(attentionCase, { system: 'float64' });
  const wanted = attentionCase.parameters.wants.filter((name) => names.includes(name));
  expect(Object.keys(certified).sort()).toEqual([...wanted].sort());
  return missed(evaluate(system, attentionCase), certified);
}

const DONE = ['out', 'lse'];

describe('certify in float64', () => {
  for (const [name, changes] of FEATURE_CASES) {
    if (changes.dim_y !== undefined) continue;
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
      if (c.parameters.dim_y !== undefined) continue;
      const { sentences, finite } = check(c, DONE);
      expect([name, sentences]).toEqual([name, []]);
      checked += finite;
    }
    expect(checked).toBeGreaterThan(3000);
  });
});
