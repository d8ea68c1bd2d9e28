/**
 * The diagnosis of fifty flaws and of a dozen that the zoo has not, each on the suite `core`.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { loadZoo } from '../../properties/zoo/zoo.ts';
import { SHARED, UNKNOWN } from './testing/flaws.ts';
import { outside } from './testing/outside.ts';
import { trial, trialCases } from './testing/trial.ts';

const zoo = await loadZoo();
const cases = trialCases('core', 1);

describe('on core, the diagnosis', () => {
  it('names the planted fault, or one that these cases do not tell from it, in 45 of 50', async () => {
    const names = Object.keys(SHARED);
    expect(names.length).toBeGreaterThanOrEqual(50);
    const missed: string[] = [];
    for (const [name, flaw] of Object.entries(SHARED)) {
      const found = await trial((c) => outside(c, flaw), cases, zoo);
      const fits = found?.behaviour?.fits.map(({ faults }) => faults.join(' with ')) ?? [];
      process.stdout.write(`${name}: ${fits.join(', ') || found?.headline}\n`);
      if (!fits.includes(name)) missed.push(name);
    }
    expect(missed.length, missed.join()).toBeLessThanOrEqual(names.length / 10);
  });

  it('never names a fault where the zoo has none of the kind', async () => {
    for (const [name, { flaw }] of Object.entries(UNKNOWN)) {
      const found = await trial((c) => outside(c, flaw), cases, zoo);
      process.stdout.write(`${name}: ${found?.headline}\n`);
      expect([name, found?.behaviour?.fits]).toEqual([name, []]);
    }
  });
});
