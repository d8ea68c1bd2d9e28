/**
 * Cases whose answers lie beside midpoints of a format, and the check of every rounding.
 *
 * With q = 0 all scores are equal, so out is the mean of V. V is drawn so that the mean of a
 * component is a midpoint of the format, or one float64 step of V beside it; with other q a key
 * whose V differs pulls it a little to one side. The truth is big's own division, 120 digits.
 * @module
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { AttentionCase } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { evaluate } from '../definition/reference.ts';
import { big } from '../numbers/big.ts';
import { type FormatName, neighbours, roundBeside, roundTo } from '../numbers/format.ts';
import { mapTensor, type Tensor, toFlat } from '../numbers/tensor.ts';
import { oracle } from '../oracle/oracle.ts';

/** Midpoint of two neighbours of the format; for f64 a float64, whose own rounding is no tie. */
function midpoint(format: FormatName, x: number): number {
  const low = roundTo(format, x);
  const { above } = neighbours(format, low);
  return format === 'f64' || !Number.isFinite(above) ? low : low / 2 + above / 2;
}

/** Case `seed` of a format: every element of out at or beside a midpoint. */
export function nearTieCase(seed: number, format: FormatName): AttentionCase {
  const generator = xoroshiro128plus(seed);
  const steps = uniformInt(generator, -2, 2);
  const flat = seed % 3 === 0;
  return drawCase(seed, {
    dtype: 'f64',
    heads: 2,
    seq_q: 4,
    seq_kv: 4,
    head_dim: 2,
    head_dim_v: 16,
    gradients: false,
    wants: ['out'],
    adjust: (inputs) => {
      if (flat) inputs.q = mapTensor(inputs.q as Tensor, () => 0);
      const middles = toFlat(inputs.v as Tensor)
        .slice(0, 16)
        .map((x) => midpoint(format, x * 2 ** uniformInt(generator, -3, 3)));
      let n = 0;
      inputs.v = mapTensor(inputs.v as Tensor, () => {
        const [j, middle] = [Math.floor(n / 16), middles[n % 16] ?? 1];
        n++;
        let v = middle;
        if (j === 3)
          for (let k = 0; k < Math.abs(steps); k++) {
            v = steps > 0 ? neighbours('f64', v).above : neighbours('f64', v).below;
          }
        return v;
      });
    },
  });
}

const truth = big(120);

/** How many elements were checked, and which were rounded wrong. */
export function checkRounding(
  format: FormatName,
  c: AttentionCase,
): { checked: number; wrong: string[] } {
  const answer = oracle(c, { format });
  const exact = toFlat(evaluate(truth, c).out as Tensor<ReturnType<typeof truth.fromNumber>>);
  const got = toFlat(answer.values.out as Tensor);
  const undecided = answer.undecided.map(({ index }) => `undecided out[${index.join(', ')}]`);
  const wrong = exact.flatMap((value, n) => {
    const near = value.toNumber();
    // 120 digits of a quotient: within 1e-100 of a float64 it is that float64.
    const beside = value.minus(truth.fromNumber(near)).abs().greaterThan(value.abs().times(1e-100));
    const side = beside ? truth.compare(value, truth.fromNumber(near)) : 0;
    const want = roundBeside(format, near, side);
    return Object.is(got[n], want === 0 ? 0 : want) ? [] : [`out ${n}: ${got[n]}, not ${want}`];
  });
  return { checked: exact.length, wrong: [...undecided, ...wrong] };
}
