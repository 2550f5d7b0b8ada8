import { isStoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { agreedDocument, type Copy } from '../../metadata/copies.ts';
import { isTombstone, makeTombstone, type Meta, type Tombstone } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import { mintVersion } from '../protocol/clock.ts';
import type { StoreContext } from '../protocol/context.ts';
import { noSuchKey } from '../protocol/read-documents.ts';
import { Operation, type LockedKey } from '../protocol/operation.ts';
import { reclaim } from '../protocol/reclaim.ts';

export interface DeleteOptions {
  signal?: AbortSignal | undefined;
}

/** Whether there is an object. One whose metas can't be read can be deleted too, because the tombstone is newer than all of them. */
export function isThere({ disks }: StoreContext, copies: readonly Copy<Meta>[]): boolean {
  try {
    const meta = agreedDocument(disks, copies, false);
    return meta !== undefined && !isTombstone(meta);
  } catch (error) {
    if (isStoreError(error, 'META_DAMAGED')) return true;
    throw error;
  }
}

/** Takes the metas of a locked key back. @param mayUnlink as for `Operation.retract` @throws PublishError */
export function retractObject(
  operation: Operation,
  locked: LockedKey,
  { bucket, key }: Address,
  mayUnlink = true,
): Promise<void> {
  const tombstone = async (): Promise<Tombstone> => {
    const version = await mintVersion(operation, locked);
    return makeTombstone({ bucket, key, version, createdAt: new Date().toISOString() });
  };
  return operation.retract(locked, tombstone, mayUnlink);
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
  await Operation.run(context, { signal: options.signal }, async (operation) => {
    const locked = await operation.lockKey(bucket, key);
    const wasThere = isThere(context, locked.copies);
    await retractObject(operation, locked, { bucket, key });
    operation.session.unlock(lockName.key(bucket, key));
    await reclaim(operation, locked.view, locked.copies);
    if (!wasThere) throw noSuchKey(bucket, key);
  });
}
