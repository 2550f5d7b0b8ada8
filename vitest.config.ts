import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/global-setup.ts',
    pool: 'forks',
    // Most tests wait for disks and for other processes: on two cores two files side by side take far less time than one.
    maxWorkers: 2,
    // Long enough for the slowest machine: a limit here stops what hangs, it measures nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
