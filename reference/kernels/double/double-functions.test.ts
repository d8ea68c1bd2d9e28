import { expect, it } from 'vitest';
import { doubleFunctionShares } from '../../testing/double-functions.ts';

it('the double-double exp of both and log are within their bounds on 2000 points', () => {
  const { library, kernels, short, log } = doubleFunctionShares(2000, 11);
  expect(Math.max(library, kernels, short, log)).toBeLessThanOrEqual(1);
  expect(Math.min(library, kernels, short, log)).toBeGreaterThan(2 ** -9); // rounding is seen at all
});
