/**
 * Interleavings: who of those that can move next on a simulated transport does.
 * @module
 */
import fc from 'fast-check';

/** A scheduling seed; every seed is one interleaving, 0 the plainest to report. */
export function interleavingArbitrary(): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 0x7fffffff });
}

/**
 * The next of several, as a scheduler of fast-check has it: a failure is reported as the order of
 * all moves, and shrunk to one that is as plain as can be. Whoever can move stays able to until it does.
 */
export function chooseByScheduler(
  scheduler: fc.Scheduler,
): (open: readonly number[]) => Promise<number> {
  const scheduled = new Set<number>();
  const moves: number[] = [];
  return async (open) => {
    for (const one of open) {
      if (scheduled.has(one)) continue;
      scheduled.add(one);
      void scheduler.schedule(Promise.resolve(one), `rank ${one}`).then(() => moves.push(one));
    }
    await scheduler.waitOne();
    const next = moves.shift();
    if (next === undefined) throw new Error(`none of the ranks ${open.join(', ')} was chosen`);
    scheduled.delete(next);
    return next;
  };
}
