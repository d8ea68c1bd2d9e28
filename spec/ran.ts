/**
 * The end of `npm run check:spec`: every test that trace.json names ran, and passed.
 *
 * A claim whose tests were skipped, for want of a tool, is named and counted; with
 * XATTN_REQUIRE_TOOLS=1 it is a failure.
 * @module
 */
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import { claimsOf, ROOT, readTrace, testName } from './trace.ts';

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

export default class ClaimsRan implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const ran = allTests(modules);
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
