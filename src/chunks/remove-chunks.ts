import { dirname } from 'node:path/posix';
import { forEachAtOnce } from '../concurrency/workers.ts';
import type { Disk } from '../disks/disk.ts';

const AT_ONCE = 16;

/** Removes chunks' files from those of the disks that they are on. What can't be removed is left for `gc`. */
export async function removeChunks(
  disks: readonly Disk[],
  files: readonly { disk: string; file: string }[],
): Promise<void> {
  const byName = new Map(disks.map((disk) => [disk.name, disk]));
  await forEachAtOnce(files, AT_ONCE, async ({ disk, file }) => {
    await byName
      .get(disk)
      ?.remove(file, { within: dirname(file), durable: false, evenFolder: true })
      .catch(() => undefined);
  });
}
