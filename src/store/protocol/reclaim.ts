import { removeChunks } from '../../chunks/remove-chunks.ts';
import { lockName } from '../../locks/locks.ts';
import { directoryId } from '../../metadata/meta.ts';
import { objectVersions } from './read-documents.ts';
import type { LockedKey, Operation } from './operation.ts';

/**
 * Removes the chunks of the versions that a commit has replaced, which no meta refers to any more. Those that somebody is
 * reading stay for `gc`, as does everything that can't be removed now.
 */
export async function reclaim({ session }: Operation, { view, copies }: LockedKey): Promise<void> {
  for (const meta of objectVersions(copies)) {
    const name = lockName.version(directoryId(meta));
    if (!session.tryLock(name, 'exclusive')) continue;
    try {
      await removeChunks(view.online, meta.directory, [...meta.chunks, ...meta.parity]);
    } finally {
      session.unlock(name);
    }
  }
}
