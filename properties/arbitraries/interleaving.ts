/**
 * Interleavings: seeds by which a simulated transport decides who moves next.
 * @module
 */
import fc from 'fast-check';

/** A scheduling seed; every seed is one interleaving, 0 the plainest to report. */
export function interleavingArbitrary(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 0x7fffffff });
}
