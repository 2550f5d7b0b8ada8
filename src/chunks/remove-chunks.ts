import type { Disk } from '../disks/disk.ts';
import { forEachAtOnce } from '../concurrency/workers.ts';

const AT_ONCE = 16;

/** Removes a version's chunk files and then its folder on each of the disks. What can't be removed is left for `gc`. */
export async function removeChunks(
  disks: readonly Disk[],
  folder: string,
  files: readonly { disk: string; file: string }[],
): Promise<void> {
  const byName = new Map(disks.map((disk) => [disk.name, disk]));
  await forEachAtOnce(files, AT_ONCE, async ({ disk, file }) => {
    await byName
      .get(disk)
      ?.remove(`${folder}/${file}`, { within: folder, durable: false, evenFolder: true })
      .catch(() => undefined);
  });
  await Promise.all(disks.map((disk) => disk.removeFolder(folder).catch(() => false)));
}
