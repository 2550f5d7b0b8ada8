import { dirname } from 'node:path/posix';
import type { Disk } from '../disks/disk.ts';

/** Files that a disk removes in one go. */
const AT_ONCE = 512;

/** Removes chunks' files from those of the disks that they are on. What can't be removed is left for `gc`. */
export async function removeChunks(
  disks: readonly Disk[],
  files: readonly { disk: string; file: string }[],
): Promise<void> {
  await Promise.all(
    disks.map(async (disk) => {
      const own = files.filter(({ disk: name }) => name === disk.name);
      const old = own.map(({ file }) => ({ path: file, within: dirname(file) }));
      for (let next = 0; next < old.length; next += AT_ONCE)
        await disk.removeMany(old.slice(next, next + AT_ONCE), { durable: false, evenFolder: true });
    }),
  );
}
