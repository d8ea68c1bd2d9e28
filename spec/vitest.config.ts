import { defineConfig } from 'vitest/config';
import { claimsOf, readTrace, testName } from './trace.ts';

const named = claimsOf(readTrace()).flatMap(({ tested = [] }) => tested);

/**
 * The formal checks, `npm run check:spec`: minutes of Coq and Spin, so not part of `npm test`; and
 * every test that trace.json names.
 */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: [
      'spec/**/*.check.ts',
      'spec/*.test.ts',
      ...named.map((entry) => testName(entry).file),
    ],
    exclude: ['node_modules', 'dist', 'out'],
    testTimeout: 1_200_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
    maxConcurrency: 2,
  },
});
