import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * What starts real programs again and again, strikes or kills them, mounts file systems, makes tens of thousands of files
 * or goes through very many states of whole stores: it takes longer than all others together. The folders are slow as a
 * whole, elsewhere a file's name says so.
 */
const SLOW = ['test/faults/**/*.test.ts', 'test/torture/**/*.test.ts', 'test/**/*.slow.test.ts'];

/** What takes minutes comes first, so that at the end nothing long is left to run alone. */
const LONGEST = ['care-crash', '/crash', 'io-errors', 'power-loss.test', 'docs.slow'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((name) => moduleId.includes(name));
      return found === -1 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    pool: 'forks',
    // Most tests wait for disks and for other processes: on two cores two files side by side take far less time than one.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Long enough for the slowest machine: a limit here stops what hangs, it measures nothing.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: SLOW } },
      { extends: true, test: { name: 'slow', include: SLOW } },
    ],
  },
});
