import { expect, it } from 'vitest';
import { doubleFunctionShares } from '../testing/double-functions.ts';

it('the double-double exp of both and log are within their bounds on 2000 points', () => {
  const { library, kernels, log } = doubleFunctionShares(2000, 11);
  expect(Math.max(library, kernels, log)).toBeLessThanOrEqual(1);
  expect(Math.min(library, kernels, log)).toBeGreaterThan(2 ** -9); // rounding is seen at all
});
