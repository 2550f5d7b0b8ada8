import { isStoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { bucketFolder, metaKind } from '../../metadata/catalog.ts';
import { agreedDocument, type Copy } from '../../metadata/copies.ts';
import { formatDocument } from '../../metadata/document.ts';
import { isTombstone, makeTombstone, type Meta } from '../../metadata/meta.ts';
import { checkBucketName, checkKey } from '../../metadata/names.ts';
import { retract } from '../../metadata/retract.ts';
import { mintVersion } from '../protocol/clock.ts';
import { lockForCommit, objectVersions, throwAsDiskError, withWriter } from '../protocol/commit.ts';
import type { StoreContext } from '../protocol/context.ts';
import { noSuchKey } from '../protocol/documents.ts';
import { reclaim } from '../protocol/reclaim.ts';

export interface DeleteOptions {
  signal?: AbortSignal | undefined;
}

/** Whether there is an object. One whose metas can't be read can be deleted too, because the tombstone is newer than all of them. */
function isThere({ disks }: StoreContext, copies: readonly Copy<Meta>[]): boolean {
  try {
    const meta = agreedDocument(disks, copies, false);
    return meta !== undefined && !isTombstone(meta);
  } catch (error) {
    if (isStoreError(error, 'META_DAMAGED')) return true;
    throw error;
  }
}

/**
 * Deletes an object: first its meta, then its chunks. Where it is gone already, a delete that died may have done that, or a
 * part of it, and nothing of it may be durable: it is ended all the same before that is said.
 * @throws NO_SUCH_KEY, NO_SUCH_BUCKET
 */
export async function deleteObject(
  context: StoreContext,
  bucket: string,
  key: string,
  options: DeleteOptions,
): Promise<void> {
  checkBucketName(bucket);
  checkKey(key);
  await withWriter(context, options, async (writer) => {
    const copies = await lockForCommit(context, writer, bucket, key);
    const { session, id, view, durable } = writer;
    const wasThere = isThere(context, copies);
    const options = {
      path: metaKind(bucket, key).path,
      within: bucketFolder(bucket),
      id,
      durable,
      quorum: context.disks.writeQuorum,
      areAllOnline: async () => view.offline.length === 0 && (await context.disks.areAllOnline()),
      beforeUndo: () => session.mark(),
    };
    const tombstone = async (): Promise<Buffer> => {
      const version = await mintVersion(context, writer, copies);
      return Buffer.from(formatDocument(makeTombstone({ bucket, key, version, createdAt: new Date().toISOString() })));
    };
    await retract(copies, tombstone, options).catch((error: unknown) => throwAsDiskError(context, error));
    session.unlock(lockName.key(bucket, key));
    for (const older of objectVersions(copies)) await reclaim(session, view, older);
    if (!wasThere) throw noSuchKey(bucket, key);
  });
}
