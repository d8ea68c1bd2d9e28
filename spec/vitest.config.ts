import { defineConfig } from 'vitest/config';
import { recordOfTests } from './ran.ts';
import { claimsOf, readTrace, testName } from './trace.ts';

const named = claimsOf(readTrace()).flatMap(({ tested = [] }) => tested);
const tests = ['spec/*.test.ts', ...named.map((entry) => testName(entry).file)];

/**
 * The formal checks, `npm run check:spec`: minutes of Coq and Spin, so not part of `npm test`; and
 * every test that trace.json names, unless `npm test` has left a record of them (ran.ts).
 */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['spec/**/*.check.ts', ...(recordOfTests() === null ? tests : [])],
    exclude: ['node_modules', 'dist', 'out'],
    // None: how long a search takes depends on what else the machine does. Spin's own limits, of depth
    // and memory, end one that does not end (protocol/spin.ts).
    testTimeout: 0,
    hookTimeout: 0,
    maxWorkers: 2,
    maxConcurrency: 2,
  },
});
