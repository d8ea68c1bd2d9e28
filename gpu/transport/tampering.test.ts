import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endingOfTampering, tamperingArbitrary, untampered } from '../testing/tampering.ts';

describe('sockets that are tampered with', () => {
  it('end in the right numbers or in an error that says where', async () => {
    const expected = await untampered();
    const none = { write: Number.POSITIVE_INFINITY, how: 'flip', at: 0, bit: 0 } as const;
    expect(await endingOfTampering(none, expected)).toBe('right');
    const endings = { right: 0, error: 0 };
    await fc.assert(
      fc.asyncProperty(tamperingArbitrary, async (tampering) => {
        endings[await endingOfTampering(tampering, expected)]++;
      }),
      { seed: 3, numRuns: 60 },
    );
    expect(endings.error).toBeGreaterThan(30);
  });
});
