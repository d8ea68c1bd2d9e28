/** All of `core` put to each reference ring, and every fault planted in each. */
import { describe, expect, it } from 'vitest';
import { judged, RANKS, RING_FAULTS, RINGS, TOLD } from './run-rings.ts';

describe.each(['torch', 'mpi', 'jax'] as const)('the ring of %s', (name) => {
  const { here } = RINGS[name];
  if (!here) console.warn(`SKIPPED: the ring of ${name} is not tested, its library is missing`);

  it.runIf(here)('passes all of core on four ranks', () => {
    const { status, summary, cases } = judged(RINGS[name], ['--suite', 'core']);
    const wrong = cases.filter(({ verdict }) => verdict !== 'pass' && verdict !== 'skip');
    expect(wrong).toEqual([]);
    expect(status).toBe(0);
    expect(summary.pass).toBeGreaterThan(450);
    const skipped = cases.flatMap(({ verdict, reason }) => (verdict === 'skip' ? [reason] : []));
    // What it does not claim: another dtype, and steps that are asked by themselves.
    expect(skipped.filter((reason) => !/^needs (f64|(forward )?merge\b)/.test(reason))).toEqual([]);
    expect(new Set(cases.flatMap(({ ranks }) => ranks?.ran ?? []))).toEqual(new Set([RANKS]));
  });

  it.runIf(here).each(RING_FAULTS)('%s: the verdict names it', (fault) => {
    const [id, told] = TOLD[fault];
    const only = '*/ranks/4-{even,even-gradients,uneven}';
    const report = judged(RINGS[name], ['--suite', 'core', '--only', only], fault);
    expect(report.status).toBe(1);
    const found = report.cases.find((one) => one.id === id);
    expect(found?.verdict).toBe('impossible');
    expect(found?.reason).toMatch(told);
  });
});
