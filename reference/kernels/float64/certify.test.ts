import type { BigNumber } from 'mathjs';
import { describe, expect, it } from 'vitest';
import {
  type AttentionCase,
  type InputName,
  OUTPUT_NAMES,
  type OutputName,
} from '../../case/case.ts';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import { evaluate } from '../../definition/reference.ts';
import { big } from '../../numbers/big.ts';
import { doubleDouble } from '../../numbers/double-double.ts';
import { forEachIndex, mapTensor, type Tensor, toFlat } from '../../numbers/tensor.ts';
import { hostileCase } from '../../testing/containment.ts';
import { doubleContainment } from '../../testing/double-containment.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { certifyDouble } from '../double/double-certify.ts';
import { kernelModule } from '../module.ts';
import { GROUP, TILE } from '../walk/problem.ts';
import { type Certified, certify, certifySized } from './certify.ts';
import { U } from './radius.ts';

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

  it('gives dY at chosen keys the same bits as at all of them, and then no dW', () => {
    const c = drawCase(5, {
      ...{ batch: 2, heads: 2, kv_heads: 1, seq_q: 5, seq_kv: 1093, head_dim: 5, head_dim_v: 3 },
      ...{ dim_y: 530, scale: 0.01, wants: ['d_y', 'd_w_k', 'd_w_v'] },
    });
    const keys = [3, 128, 1023, 1024, 1092];
    const pick = (flat: ArrayLike<number>) =>
      [0, 1].flatMap((b) =>
        keys.flatMap((j) => Array.from(flat).slice((b * 1093 + j) * 530, (b * 1093 + j + 1) * 530)),
      );
    const [whole, chosen] = [certify(c), certify(c, { keys })];
    expect(Object.keys(chosen)).toEqual(['d_y']);
    expect(chosen.d_y!.mid.shape).toEqual([2, 5, 530]);
    expect(toFlat(chosen.d_y!.mid)).toEqual(pick(toFlat(whole.d_y!.mid)));
    // A radius depends a little on the rows beside it.
    const radii = pick(toFlat(whole.d_y!.radius));
    expect(toFlat(chosen.d_y!.radius).every((r, n) => r <= 2 * radii[n]! && r > 0)).toBe(true);
    const [wholeDouble, chosenDouble] = [certifyDouble(c), certifyDouble(c, { keys })];
    expect(Object.keys(chosenDouble)).toEqual(['d_y']);
    for (const word of ['high', 'low'] as const) {
      expect([...chosenDouble.d_y![word]]).toEqual(pick(wholeDouble.d_y![word]));
    }
    expect(chosenDouble.d_y!.radius.every((r) => r < 2 ** -70)).toBe(true);
  });

  it('makes of |V| beside V what it makes of |V| alone, and V none the worse', () => {
    const { certified: beside, valueSizes } = certifySized(large, { rows: [0, 127, 140] });
    expect(beside).toEqual(certify(large, { rows: [0, 127, 140] }));
    const { out } = certify(
      { ...large, inputs: { ...large.inputs, v: mapTensor(large.inputs.v!, Math.abs) } },
      { rows: [0, 127, 140] },
    );
    const radii = toFlat(out!.radius);
    expect([...valueSizes]).toEqual(toFlat(out!.mid).map((x, n) => x + radii[n]!));
  });

  // Maxima that rise within groups of tiles and between them, a row whose keys end in the first group, and
  // one that begins to see in the last.
  const long = 2 * GROUP * TILE + 300;
  const starts = [0, 0, long - 10, 0];
  const ends = [long, GROUP * TILE - 5, long, GROUP * TILE];
  const grouped = (sink: boolean) => ({
    ...{ batch: 1, heads: 2, kv_heads: 1, seq_q: 4, seq_kv: long, head_dim: 4, head_dim_v: 3 },
    ...{ gradients: false, sink, scale: 1, mask: [1, 1, 4, long], bias: [1, 1, 1, long] },
    adjust: ({ mask, bias }: Partial<Record<InputName, Tensor>>) => {
      for (let j = 0; j < long; j++) {
        bias?.set(0, 0, 0, j, j % 1000 === 7 ? Math.fround(j / 400) : 0);
        for (const i of [0, 1, 2, 3]) mask?.set(0, 0, i, j, +(j >= starts[i]! && j < ends[i]!));
      }
    },
  });

  it.each([true, false])('encloses the truth over groups of tiles, sink %s', (sink) => {
    const c = drawCase(9, grouped(sink));
    const { out, lse } = certify(c);
    const double = certifyDouble(c);
    for (const [name, { mid, radius }] of [
      ['out', out!],
      ['lse', lse!],
    ] as const) {
      const { high, low, radius: rest } = double[name]!;
      const radii = toFlat(radius);
      toFlat(mid).forEach((x, n) => {
        expect(rest[n]!).toBeLessThan(radii[n]! * 2 ** -30);
        expect(Math.abs(x - high[n]! - low[n]!)).toBeLessThanOrEqual(radii[n]! * (1 - 2 ** -30));
      });
    }
  });

  it('sums very many tiles in groups: the radius does not grow with their number', () => {
    const widest = (seq_kv: number): number => {
      const shape = { batch: 1, heads: 1, seq_q: 1, seq_kv, head_dim: 1, head_dim_v: 1 };
      const c = drawCase(1, { ...shape, gradients: false, scale: 0 });
      for (let j = 0; j < seq_kv; j++) c.inputs.v?.set(0, 0, j, 0, 1);
      return certify(c).out!.radius.get(0, 0, 0, 0)!;
    };
    const [one, many] = [widest(GROUP * TILE), widest(4 * GROUP * TILE)];
    // What grows is the sum of the weights: one rounding a tile, not two.
    expect(many - one).toBeLessThan(3 * GROUP * U * 1.1 + 8 * U);
  });

  it('leaves a sum alone where no maximum has moved: e^0 is 1', () => {
    const kernels = kernelModule();
    const { x } = kernels.layOut({ x: 2 });
    x.view.set([0, Number.NEGATIVE_INFINITY]);
    kernels.run.expMany(x.at, x.at, 2);
    expect([...x.view]).toEqual([1, 0]);
  });

  /** A bias that masks some keys of every row but one, all of that one's, by a number; others are 0 or `near`. */
  const lowest = (mask: number, changes: CaseChanges = {}, near = 0): AttentionCase =>
    drawCase(4, {
      ...{ dtype: 'f64', seq_q: 5, seq_kv: 9, bias: [5, 9], judging: 'structured', ...changes },
      adjust: ({ bias }) =>
        forEachIndex(bias!.shape, ([i = 0, j = 0]) => {
          bias!.set(i, j, j > 3 + i || i === 2 ? mask * (1 + j / 16) : near * (j % 2));
        }),
    });

  /** Radii of the LSE of the first rows in float64 and in double-double, all balls being right. */
  const lseRadii = (c: AttentionCase): number[][] => {
    const [single, double] = [certify(c), certifyDouble(c)];
    expect(missed(evaluate(system, c), single).sentences).toEqual([]);
    expect(doubleContainment(c).missed).toEqual([]);
    return [single.lse?.radius.data ?? [], double.lse?.radius ?? []].map((all) =>
      Array.from({ length: c.parameters.seq_q }, (_, i) => Number(all[i])),
    );
  };

  it('does not lose a row for a bias of keys that weigh nothing beside its others', () => {
    for (const mask of [-(2 ** 49), -1e38, -1e300]) {
      for (const changes of [{}, { sink: true }, { softcap: 2, causal: 'bottom-right' }] as const) {
        // A row of such keys alone is no empty row, and nothing is said of it without a sink.
        const known = [0, 1, 2, 3, 4].map((i) => i !== 2 || 'sink' in changes);
        for (const radii of lseRadii(lowest(mask, changes))) {
          expect([mask, changes, radii.map(Number.isFinite)]).toEqual([mask, changes, known]);
        }
      }
    }
  });

  it('says nothing beside such a key of scores that are as large', () => {
    const radii = lseRadii(lowest(-(2 ** 50), {}, -(2 ** 47)));
    expect(radii.map(([first]) => first)).toEqual([Infinity, Infinity]);
    // In double-double it may be said beside none.
    expect(Number.isFinite(lseRadii(lowest(-(2 ** 47), {}, -(2 ** 47)))[1]?.[0])).toBe(true);
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
