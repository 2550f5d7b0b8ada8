import type { GcReport } from '../../src/index.ts';

/** What gc says where there is nothing to do. */
export const NOTHING_TO_DO: GcReport = {
  leftoverChunks: 0,
  leftoverBytes: 0,
  stagedFiles: 0,
  tombstones: 0,
  settled: 0,
  inUse: 0,
  kept: [],
  failed: [],
};
