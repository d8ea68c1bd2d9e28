import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Where to leave a record of what ran, for `npm run check:spec` (spec/ran.ts). */
const record = process.env.XATTN_RAN;

export default defineConfig({
  test: {
    reporters: ['default', ...(record === undefined ? [] : ['json'])],
    ...(record === undefined ? {} : { outputFile: { json: record } }),
    include: ['**/*.test.ts'],
    exclude: ['node_modules', 'dist', 'out'],
    // Two at least: many tests wait for a program that they have started.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // So long that a machine with other work passes too; the longest takes a minute or two alone.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
