import { removeChunks } from '../../chunks/remove-chunks.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import { directoryId, type ObjectMeta } from '../../metadata/meta.ts';

/**
 * Removes the chunks of a version that no meta refers to any more, unless somebody is reading it: then they stay for
 * `gc`, as does everything that can't be removed now.
 */
export async function reclaim(session: LockSession, view: DiskView, meta: ObjectMeta): Promise<void> {
  const name = lockName.version(directoryId(meta));
  if (!session.tryLock(name, 'exclusive')) return;
  try {
    await removeChunks(view.online, meta.directory, [...meta.chunks, ...meta.parity]);
  } finally {
    session.unlock(name);
  }
}
