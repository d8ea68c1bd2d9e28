/**
 * How far every element of a candidate's outputs is off: what the judge looks at, element by element,
 * for whoever shows it. The fractions are the judge's own.
 * @module
 */
import type { OutputName } from '../case/case.ts';
import { type GivenOutputs, STORED } from '../case/given.ts';
import { unitRoundoff } from '../numbers/format.ts';
import { nth } from '../numbers/nth.ts';
import { elementCount, flatNumbers } from '../numbers/tensor.ts';
import type { Expectation } from './expectation.ts';
import { fractionOf, outputBounds, ulps } from './judge.ts';

/** The elements of one output, row-major. */
export interface ElementErrors {
  readonly name: OutputName;
  readonly shape: readonly number[];
  /** Error as a fraction of the bound; above 1 is a failure, NaN = nothing is asked of it. */
  readonly fractions: Float64Array;
  /** Distance to the exact value in ULPs of the profile's output format; NaN where a zero has none. */
  readonly ulps: Float64Array;
  /** The exact values, and what was given in their place. */
  readonly expected: ArrayLike<number>;
  readonly got: ArrayLike<number>;
}

/** Of every output that is there, in its shape; others are left out. */
export function elementErrors(expected: Expectation, outputs: GivenOutputs): ElementErrors[] {
  const { outputMax, outputFormat } = expected.profile;
  return Object.entries(expected.values).flatMap(([key, values]): ElementErrors[] => {
    const name = key as OutputName;
    const given = outputs[name];
    const stored = STORED[given?.dtype ?? ''];
    if (given === undefined || stored === undefined) return [];
    if (given.tensor.shape.join() !== values.shape.join()) return [];
    const size = elementCount(values.shape);
    const bounds = outputBounds(expected, name, unitRoundoff(stored), size);
    const [all, gots] = [flatNumbers(values), flatNumbers(given.tensor)];
    const errors = { fractions: new Float64Array(size), ulps: new Float64Array(size) };
    for (let n = 0; n < size; n++) {
      const pair = [nth(all, n), nth(gots, n)] as const;
      const isAsked = bounds.excused?.[n] !== true;
      errors.fractions[n] = isAsked ? fractionOf(bounds, n, pair, outputMax) : Number.NaN;
      errors.ulps[n] = isAsked ? (ulps(outputFormat, ...pair) ?? Number.NaN) : Number.NaN;
    }
    return [{ name, shape: values.shape, ...errors, expected: all, got: gots }];
  });
}
