/**
 * How fast small cases are judged, whole: folder written, the embedded reference candidate (simulated
 * ranks, no GPU.js) asked, its outputs read and judged. On one thread.
 *
 * Small means what `xattn fuzz` draws: batch ≤ 2, heads ≤ 6, ≤ 6 queries, ≤ 10 keys, head dimensions
 * ≤ 6, every feature, layout and dtype, half of them with gradients.
 * @module
 */
import path from 'node:path';
import fc from 'fast-check';
import { caseArbitrary } from '../properties/arbitraries/attention-case.ts';
import { REGIMES } from '../properties/arbitraries/values.ts';
import type { ProfileName } from '../reference/profile.ts';
import { embeddedCandidate } from './candidates/embedded.ts';
import { interviewer } from './fuzz/interviewer.ts';
import { withTemporaryFolder } from './run-suite.ts';

const CASES = 400;

export interface GateSpeed {
  readonly cases: number;
  readonly seconds: number;
}

/** Judges `CASES` cases drawn from the seed at this profile, after some that are not counted. */
export async function gateSpeed(profile: ProfileName, seed: number): Promise<GateSpeed> {
  const candidate = embeddedCandidate({
    transport: 'simulated',
    device: 'reference',
    timeoutMs: 60_000,
  });
  const started = await candidate.start();
  const arbitrary = caseArbitrary({ regimes: REGIMES });
  const warmUp = fc.sample(arbitrary, { numRuns: CASES / 4, seed: seed + 1 });
  const cases = fc.sample(arbitrary, { numRuns: CASES, seed });
  return withTemporaryFolder(async (root) => {
    const asker = interviewer(candidate, started, profile, path.join(root));
    for (const question of warmUp) await asker.ask(question);
    const begin = performance.now();
    for (const question of cases) {
      const { verdict } = await asker.ask(question);
      if (verdict.verdict !== 'pass') throw new Error(`${verdict.verdict}: ${verdict.reason}`);
    }
    return { cases: cases.length, seconds: (performance.now() - begin) / 1000 };
  });
}
