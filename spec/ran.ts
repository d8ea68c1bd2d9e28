/**
 * The end of `npm run check:spec`: every test that trace.json names ran, and passed.
 *
 * A claim whose tests were skipped, for want of a tool, is named and counted; with
 * XATTN_REQUIRE_TOOLS=1 it is a failure. Tests that `npm test` has just run need not run again: with
 * XATTN_RAN=FILE it writes there what ran, and `npm run check:spec` with the same FILE reads it.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import { z } from 'zod';
import { claimsOf, ROOT, readTrace, testName } from './trace.ts';

/** As vitest's own JSON reporter writes it. */
const Recorded = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

interface Ran {
  readonly file: string;
  readonly title: string;
  readonly state: string;
}

/** What is wrong with one named test after a run; null when it ran and passed. */
export function notPassed(entry: string, ran: readonly Ran[]): string | null {
  const { file, words } = testName(entry);
  const tests = ran.filter((test) => test.file === file && test.title.includes(words ?? ''));
  if (tests.length === 0) return `${entry}: did not run`;
  const failed = tests.filter(({ state }) => state === 'failed').length;
  if (failed > 0) return `${entry}: ${failed} of ${tests.length} failed`;
  return tests.some(({ state }) => state === 'passed') ? null : `${entry}: skipped`;
}

function allTests(modules: readonly TestModule[]): Ran[] {
  return modules.flatMap((module) =>
    [...module.children.allTests()].map((test) => ({
      file: relative(ROOT, module.moduleId),
      title: test.fullName,
      state: test.result().state,
    })),
  );
}

/** Where `npm test` has left what it ran; null when nowhere. */
export function recordOfTests(): string | null {
  const path = process.env.XATTN_RAN;
  return path !== undefined && existsSync(path) ? path : null;
}

/** The tests of vitest's JSON report. Throws when it is none. */
export function recordedTests(text: string): Ran[] {
  return Recorded.parse(JSON.parse(text)).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status }) => ({
      file: relative(ROOT, name),
      title: fullName,
      state: status,
    })),
  );
}

export default class ClaimsRan implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const record = recordOfTests();
    const before = record === null ? [] : recordedTests(readFileSync(record, 'utf8'));
    const ran = [...before, ...allTests(modules)];
    const claims = claimsOf(readTrace());
    const named = [...new Set(claims.flatMap(({ tested = [] }) => tested))];
    const wrong = named.flatMap((entry) => notPassed(entry, ran) ?? []);
    const skipped = wrong.filter((sentence) => sentence.endsWith(': skipped'));
    const allowed = process.env.XATTN_REQUIRE_TOOLS === '1' ? [] : skipped;
    for (const sentence of wrong) console.log(`  trace.json: ${sentence}`);
    console.log(
      `  ${claims.length} claims name ${named.length} tests: ${named.length - wrong.length} passed, ` +
        `${skipped.length} skipped, ${wrong.length - skipped.length} failed or missing\n`,
    );
    if (wrong.length > allowed.length) process.exitCode = 1;
  }
}
