import { isStoreError } from '../errors.ts';
import { lockName } from '../locks/locks.ts';
import { bucketFolder, metaKind } from '../metadata/catalog.ts';
import { agreedDocument, newestCopy, type Copy } from '../metadata/copies.ts';
import { formatDocument } from '../metadata/document.ts';
import { isTombstone, makeTombstone, type Meta } from '../metadata/meta.ts';
import { checkBucketName, checkKey } from '../metadata/names.ts';
import { retract } from '../metadata/retract.ts';
import { mintVersion } from '../metadata/version.ts';
import { lockForCommit, objectVersions, throwAsDiskError, withWriter } from './commit.ts';
import type { StoreContext } from './context.ts';
import { noSuchKey } from './documents.ts';
import { reclaim } from './reclaim.ts';

export interface DeleteOptions {
  signal?: AbortSignal | undefined;
}

/**
 * The meta that is to be deleted, `none` where there is nothing to delete, or undefined where something is there but no meta
 * that can be read: that can be deleted too, because the tombstone's version is of now.
 */
function newestMeta({ disks }: StoreContext, copies: readonly Copy<Meta>[]): Meta | 'none' | undefined {
  try {
    const meta = agreedDocument(disks, copies, false);
    return meta === undefined || isTombstone(meta) ? 'none' : meta;
  } catch (error) {
    if (isStoreError(error, 'META_DAMAGED')) return newestCopy(copies)?.document;
    throw error;
  }
}

/** Deletes an object: first its meta, then its chunks. @throws NO_SUCH_KEY, NO_SUCH_BUCKET */
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
    const meta = newestMeta(context, copies);
    if (meta === 'none') throw noSuchKey(bucket, key);
    const version = mintVersion(meta?.version);
    const tombstone = makeTombstone({ bucket, key, version, createdAt: new Date().toISOString() });
    try {
      await retract(copies, Buffer.from(formatDocument(tombstone)), {
        path: metaKind(bucket, key).path,
        within: bucketFolder(bucket),
        id,
        durable,
        quorum: context.disks.writeQuorum,
        areAllOnline: async () => view.offline.length === 0 && (await context.disks.areAllOnline()),
        beforeUndo: () => session.mark(),
      });
    } catch (error) {
      throwAsDiskError(context, error);
    }
    session.unlock(lockName.key(bucket, key));
    for (const older of objectVersions(copies)) await reclaim(session, view, older);
  });
}
