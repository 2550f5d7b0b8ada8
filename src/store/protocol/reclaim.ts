import { removeChunks } from '../../chunks/remove-chunks.ts';
import { lockName } from '../../locks/locks.ts';
import { byUpload } from '../../metadata/shard-file.ts';
import { objectVersions } from './read-documents.ts';
import type { LockedKey, Operation } from './operation.ts';

/**
 * Removes the chunks of the versions that a commit has replaced, which no meta refers to any more. Those that somebody is
 * reading stay for `gc`, as does everything that can't be removed now.
 */
export async function reclaim({ session }: Operation, { view, copies }: LockedKey): Promise<void> {
  const shards = objectVersions(copies).flatMap(({ chunks, parity }) => [...chunks, ...parity]);
  for (const [id, files] of byUpload(shards)) {
    const name = lockName.upload(id);
    if (!session.tryLock(name, 'exclusive')) continue;
    try {
      await removeChunks(view.online, files);
    } finally {
      session.unlock(name);
    }
  }
}
