import { defineConfig } from 'vitest/config';

/** `npm run test:long`: what takes minutes to hours; the short variants are in `npm test`. */
export default defineConfig({
  test: {
    include: ['**/*.long.ts'],
    exclude: ['node_modules', 'dist', 'out'],
    testTimeout: 36_000_000,
    hookTimeout: 120_000,
  },
});
