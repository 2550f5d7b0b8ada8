import { defineConfig } from 'vitest/config';

/** Every call of many commands is struck once: these take longer than all others together. */
const FAULTS = ['crash', 'care-crash', 'io-errors', 'care-errors', 'power-loss/power-loss'].map(
  (name) => `test/faults/${name}.test.ts`,
);

export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    pool: 'forks',
    // Most tests wait for disks and for other processes: on two cores two files side by side take far less time than one.
    maxWorkers: 2,
    // Long enough for the slowest machine: a limit here stops what hangs, it measures nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'all but faults', include: ['test/**/*.test.ts'], exclude: FAULTS } },
      { extends: true, test: { name: 'faults', include: FAULTS } },
    ],
  },
});
