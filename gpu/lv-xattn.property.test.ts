import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { caseArbitrary } from '../properties/arbitraries/attention-case.ts';
import { interleavingArbitrary } from '../properties/arbitraries/interleaving.ts';
import { matchers } from '../properties/matchers.ts';
import { runLvXattn } from './run.ts';

expect.extend(matchers);

/** Every feature and layout; numbers that no precision overflows on. */
const cases = caseArbitrary({
  regimes: ['exact', 'normal', 'peaked', 'cancelling', 'subnormal'],
  shape: { batch: 2, kvHeads: 2, group: 2, seqQ: 5, seqKv: 8, headDim: 4, dimY: 3 },
});

describe('LV-XAttn over any layout and interleaving', () => {
  it('is attention, forward and backward', async () => {
    await fc.assert(
      fc.asyncProperty(cases, interleavingArbitrary(), async (c, seed) => {
        const run = await runLvXattn(c, { transport: 'simulated', device: 'reference', seed });
        expect(run.outputs).toPassOracle(c, 'f64');
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  it('gives the same bits under every interleaving', async () => {
    await fc.assert(
      fc.asyncProperty(
        cases,
        interleavingArbitrary(),
        interleavingArbitrary(),
        async (c, one, other) => {
          const [a, b] = await Promise.all(
            [one, other].map((seed) =>
              runLvXattn(c, { transport: 'simulated', device: 'reference', seed }),
            ),
          );
          expect(a!.outputs).toEqualExactly(b!.outputs);
        },
      ),
      { seed: 8, numRuns: 100 },
    );
  });
});
