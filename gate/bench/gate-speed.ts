/**
 * How fast small cases are judged, whole: folder written, the embedded reference candidate (simulated
 * ranks, no GPU.js) asked, its outputs read and judged, all on one thread.
 *
 * Small means what `xattn fuzz` draws (SMALL); every feature, layout, dtype and regime of values, half
 * of them with gradients.
 * @module
 */
import fc from 'fast-check';
import { caseArbitrary } from '../../properties/arbitraries/attention-case.ts';
import { PROFILES, type ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { referenceOutputs } from '../../reference/definition/reference.ts';
import { isFailure, judge } from '../../reference/verdict/judge.ts';
import { embeddedCandidate } from '../candidates/embedded.ts';
import { interviewer } from '../fuzz/interviewer.ts';
import { withTemporaryFolder } from '../run-suite.ts';

/** The extents that properties/arbitraries/shape.ts draws when it is told nothing. */
const SMALL = 'batch ≤ 2, heads ≤ 6, queries ≤ 6, keys ≤ 10, head dimensions ≤ 6';
const CASES = 500;

interface GateSpeed {
  readonly cases: number;
  /** By the clock, and of all of this process's threads together. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Seconds of the judge alone on the same cases. */
  readonly judgeSeconds: number;
}

/** Judges `CASES` cases drawn from the seed at this profile, after as many others not counted. */
async function gateSpeed(profile: ProfileName, seed: number): Promise<GateSpeed> {
  const candidate = embeddedCandidate({
    transport: 'simulated',
    device: 'reference',
    timeoutMs: 60_000,
  });
  const started = await candidate.start();
  const drawn = (n: number) => fc.sample(caseArbitrary(), { numRuns: CASES, seed: n });
  const [warmUp, cases] = [drawn(seed + 1), drawn(seed)];
  return withTemporaryFolder(async (root) => {
    const asker = interviewer(candidate, started, PROFILES[profile], root);
    for (const question of warmUp) await asker.ask(question);
    const [begin, cpu] = [performance.now(), process.cpuUsage()];
    for (const question of cases) {
      const { verdict } = await asker.ask(question);
      if (isFailure(verdict.verdict)) throw new Error(`${verdict.verdict}: ${verdict.reason}`);
    }
    const seconds = (performance.now() - begin) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const given = cases.map(givenOf);
    const judging = performance.now();
    cases.forEach((question, n) => {
      judge(question, given[n] ?? {}, profile);
    });
    const judgeSeconds = (performance.now() - judging) / 1000;
    return { cases: cases.length, seconds, cpuSeconds: (user + system) / 1e6, judgeSeconds };
  });
}

/** A measurement as it is printed. */
export const digits = (x: number): number => Number(x.toPrecision(4));

/** The same as a line to print: cases by the clock and by the processor, and the judge's part. */
export async function gateSpeedLine(
  profile: ProfileName,
  seed: number,
): Promise<Record<string, string | number>> {
  const { cases, seconds, cpuSeconds, judgeSeconds } = await gateSpeed(profile, seed);
  return {
    bench: 'gate-speed',
    profile,
    cases,
    of: SMALL,
    cases_per_second: digits(cases / seconds),
    cases_per_cpu_second: digits(cases / cpuSeconds),
    ratio: digits(judgeSeconds / seconds),
    against: 'the judge alone on the same cases',
  };
}

/** The reference's own answer, as a candidate would give it. */
function givenOf(question: AttentionCase): GivenOutputs {
  const outputs = Object.entries(referenceOutputs(question));
  return Object.fromEntries(outputs.map(([name, tensor]) => [name, { dtype: 'F64', tensor }]));
}
