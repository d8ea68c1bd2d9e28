import { defineConfig } from 'vitest/config';

/** The formal checks, `npm run check:spec`: minutes of Coq and Spin, so not part of `npm test`. */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['spec/**/*.check.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});
