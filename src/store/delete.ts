import { lockName } from '../locks/locks.ts';
import { bucketFolder, metaKind } from '../metadata/catalog.ts';
import { agreedDocument } from '../metadata/copies.ts';
import { formatDocument } from '../metadata/document.ts';
import { isTombstone, makeTombstone } from '../metadata/meta.ts';
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
    const meta = agreedDocument(context.disks, copies, false);
    if (meta === undefined || isTombstone(meta)) throw noSuchKey(bucket, key);
    const version = mintVersion(meta.version);
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
