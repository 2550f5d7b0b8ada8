import type { Disk } from '../../src/disks/disk.ts';

/** The folder that the tests of the contract work in. */
export const AREA = 'area';

export interface DiskTest {
  /** The disk under test, fresh for every test. */
  readonly disk: Disk;
  /** Whether it has folders, and not only names: then they can be in the way, and missing. */
  readonly hasFolders: boolean;
  /** Everything below `AREA` and the staging folder: files as their paths, folders with a `/` at the end, in order. */
  everything(): Promise<string[]>;
  /** Puts a file in place as the store does, folders included. */
  publish(path: string, bytes: Uint8Array): Promise<void>;
}
