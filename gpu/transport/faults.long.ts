/**
 * Faults in the long run: 10⁵ random plans, each of which ends in the right bits or in the right error.
 * @module
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { endingOf, planArbitrary, targets } from '../testing/fault-plans.ts';

it('faults end in the right bits or in an error that says where, 10⁵ plans', async () => {
  const all = await targets();
  const endings = { right: 0, error: 0 };
  await fc.assert(
    fc.asyncProperty(planArbitrary(all), async (plan) => {
      endings[await endingOf(plan)]++;
    }),
    { seed: 42, numRuns: 100_000 },
  );
  expect(endings.right).toBeGreaterThan(10_000);
  expect(endings.error).toBeGreaterThan(10_000);
});
