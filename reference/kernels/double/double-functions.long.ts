/**
 * The long run of the double-double functions: exp and log on 10⁶ points against decimals.
 * @module
 */
import { expect, it } from 'vitest';
import { doubleFunctionShares } from '../../testing/double-functions.ts';

it('the double-double exp of both and log are within their bounds on 10⁶ points', {
  timeout: 3_600_000,
}, () => {
  const worst = doubleFunctionShares(500_000, 12); // of exp, and as many of log
  console.log(worst);
  expect(Math.max(worst.library, worst.kernels, worst.short, worst.log)).toBeLessThanOrEqual(1);
});
