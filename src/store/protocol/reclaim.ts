import { removeChunks } from '../../chunks/remove-chunks.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { lockName } from '../../locks/locks.ts';
import type { Copy } from '../../metadata/copies.ts';
import type { Meta } from '../../metadata/meta.ts';
import { byUpload } from '../../metadata/shard-file.ts';
import { objectVersions } from './read-documents.ts';
import type { Operation } from './operation.ts';

/**
 * Removes the chunks of the versions that commits have replaced, which no meta refers to any more. Those that somebody is
 * reading stay for `gc`, as does everything that can't be removed now.
 * @param copies of the metas that have been replaced
 */
export async function reclaim(
  { session }: Operation,
  { online }: DiskView,
  copies: readonly Copy<Meta>[],
): Promise<void> {
  const shards = objectVersions(copies).flatMap(({ chunks, parity }) => [...chunks, ...parity]);
  const uploads = [...byUpload(shards)].filter(([id]) => session.tryLock(lockName.upload(id), 'exclusive'));
  try {
    await removeChunks(
      online,
      uploads.flatMap(([, files]) => files),
    );
  } finally {
    for (const [id] of uploads) session.unlock(lockName.upload(id));
  }
}
