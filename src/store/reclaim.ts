import pMap from 'p-map';
import type { DiskView } from '../disks/disk-set.ts';
import { lockName, type LockSession } from '../locks/locks.ts';
import { directoryId, type ObjectMeta } from '../metadata/meta.ts';

/**
 * Removes the chunks of a version that no meta refers to any more, unless somebody is reading it: then they stay for
 * `gc`, as does everything that can't be removed now.
 */
export async function reclaim(session: LockSession, view: DiskView, meta: ObjectMeta): Promise<void> {
  const name = lockName.version(directoryId(meta));
  if (!session.tryLock(name, 'exclusive')) return;
  try {
    const disks = new Map(view.online.map((disk) => [disk.name, disk]));
    await pMap(
      [...meta.chunks, ...meta.parity],
      async ({ disk, file }) => {
        const options = { within: meta.directory, durable: false };
        await disks.get(disk)?.remove(`${meta.directory}/${file}`, options).catch(() => undefined);
      },
      { concurrency: 16 },
    );
    await Promise.all(view.online.map((disk) => disk.removeFolder(meta.directory).catch(() => false)));
  } finally {
    session.unlock(name);
  }
}
