import { beforeEach, describe } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { describeClearing } from './disk-clearing.ts';
import { describeMany } from './disk-many.ts';
import { describeReading } from './disk-reading.ts';
import { describeStaging } from './disk-staging.ts';
import { describeRemoving } from './disk-removing.ts';
import { describeRenaming } from './disk-renaming.ts';
import { describeRoom } from './disk-room.ts';
import { AREA, type DiskTest } from './disk-test.ts';

/**
 * The contract of `src/disks/disk.ts` as tests. It runs on any disk, and on any wrapper of one.
 *
 * @param make a fresh disk that is online and empty but for its mark; one with folders has its staging folder
 */
export function describeDisk(name: string, make: () => Promise<Disk> | Disk, { hasFolders = true } = {}): void {
  describe(`contract of a disk: ${name}`, () => {
    let disk: Disk;
    let ids = 0;
    beforeEach(async () => {
      disk = await make();
      await disk.makeFolder(AREA);
    });
    const test: DiskTest = {
      hasFolders,
      get disk() {
        return disk;
      },
      everything: async () => [...(await walk(disk, AREA)), ...(await walk(disk, 'tmp'))].sort(),
      publish: async (path, bytes) => {
        const staged = await disk.stage(path, bytes, { id: `contract-${++ids}`, within: AREA, durable: false });
        await staged.publish();
      },
    };
    describeReading(test);
    describeStaging(test);
    describeRemoving(test);
    describeRenaming(test);
    describeRoom(test);
    describeClearing(test);
    describeMany(test);
  });
}

async function walk(disk: Disk, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, isFolder } of await disk.list(folder)) {
    const path = `${folder}/${name}`;
    found.push(isFolder ? `${path}/` : path);
    if (isFolder) found.push(...(await walk(disk, path)));
  }
  return found;
}
