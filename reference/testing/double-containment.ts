/**
 * Holds the double-double kernels' own numbers, high + low ± radius, to the truth in decimals: an
 * enclosure in float64 would hide what is wrong below its last bit.
 * @module
 */
import type { BigNumber } from 'mathjs';
import type { AttentionCase, OutputName } from '../case/case.ts';
import { evaluate } from '../definition/reference.ts';
import { certifyDouble, type DoubleOptions } from '../kernels/double/double-certify.ts';
import { big } from '../numbers/big.ts';
import { type Tensor, toFlat } from '../numbers/tensor.ts';

const system = big(80);

/** Of all elements. */
export interface DoubleContainment {
  /** Sentences about every element that its ball misses. */
  readonly missed: string[];
  readonly all: number;
  /** Elements with a finite radius, or an empty row's. */
  readonly finite: number;
  /** Largest share of its radius that an error takes. */
  readonly worst: number;
  /** Largest radius over |value|. */
  readonly widest: number;
}

export function doubleContainment(
  c: AttentionCase,
  truth = evaluate(system, c),
  options: DoubleOptions = {},
): DoubleContainment {
  const missed: string[] = [];
  let [finite, all, worst, widest] = [0, 0, 0, 0];
  for (const [name, { high, low, radius }] of Object.entries(certifyDouble(c, options))) {
    const exact = toFlat(truth[name as OutputName] as Tensor<BigNumber | null>);
    if (high.length !== exact.length) missed.push(`${name}: ${high.length} elements`);
    exact.forEach((value, n) => {
      all++;
      const [x = Number.NaN, y = 0, r = Number.NaN] = [high[n], low[n], radius[n]];
      if (value === null) {
        if (x !== Number.NEGATIVE_INFINITY || r !== 0) missed.push(`${name}[${n}]: empty row`);
        else finite++;
        return;
      }
      if (r === Number.POSITIVE_INFINITY) return;
      finite++;
      const error = system.fromNumber(x).plus(system.fromNumber(y)).minus(value).abs();
      if (!(r >= 0) || error.greaterThan(system.fromNumber(r))) {
        missed.push(`${name}[${n}]: ${value} is not within ${r} of ${x} + ${y}`);
      }
      if (r > 0) worst = Math.max(worst, error.dividedBy(system.fromNumber(r)).toNumber());
      const size = value.abs().toNumber();
      if (size > 0) widest = Math.max(widest, r / size);
    });
  }
  return { missed, all, finite, worst, widest };
}
