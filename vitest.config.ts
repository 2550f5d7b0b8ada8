import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/global-setup.ts',
    pool: 'forks',
    // Long enough for the slowest machine: a limit here stops what hangs, it measures nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
