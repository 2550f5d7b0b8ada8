import type { DiskView } from '../../disks/disk-set.ts';
import { isStoreError, StoreError } from '../../errors.ts';
import { bucketFolder } from '../../metadata/catalog.ts';
import { makeBucketDocument } from '../../metadata/bucket-document.ts';
import { checkBucketName } from '../../metadata/names.ts';
import { checkRedundancy } from '../../metadata/redundancy.ts';
import { PublishError } from '../../metadata/publish.ts';
import { mintVersion } from '../protocol/clock.ts';
import type { StoreContext } from '../protocol/context.ts';
import { noSuchBucket, readBucket } from '../protocol/read-documents.ts';
import { list } from './list.ts';
import { Operation } from '../protocol/operation.ts';
import { Walk } from '../protocol/walk.ts';

/** A bucket in a list. */
export interface ListedBucket {
  bucket: string;
  createdAt: string;
  /** The bucket's own `k+m`, if it has one. */
  redundancy?: string;
}

export interface BucketOptions {
  signal?: AbortSignal | undefined;
}

export interface CreateBucketOptions extends BucketOptions {
  /** `k+m` for objects that are put into the bucket without their own; the store's if not given. */
  redundancy?: string | undefined;
}

/** @throws BUCKET_EXISTS, BAD_REDUNDANCY */
export async function createBucket(context: StoreContext, bucket: string, options: CreateBucketOptions): Promise<void> {
  const { redundancy, signal } = options;
  checkBucketName(bucket);
  await Operation.run(context, { signal }, async (operation) => {
    const locked = await operation.lockBucket(bucket);
    if (redundancy !== undefined) checkRedundancy(redundancy, context.members.belong.length);
    if (locked.document !== undefined)
      throw new StoreError('BUCKET_EXISTS', `there is a bucket "${bucket}" already`, { bucket });
    const version = await mintVersion(operation, locked);
    const failures = await operation.makeBucketFolder(locked.view.online, bucket);
    const copies = locked.copies.filter(({ disk }) => !failures.some((failure) => failure.disk === disk));
    const common = { bucket, version, createdAt: new Date().toISOString() };
    const document = makeBucketDocument(redundancy === undefined ? common : { ...common, redundancy });
    try {
      await operation.publish({ ...locked, copies }, document);
    } catch (error) {
      // What was made for nothing goes again; a bucket's folder is empty without its document.
      await removeFolders(locked.view, bucket);
      if (!(error instanceof PublishError)) throw error;
      throw new PublishError(error, [...failures, ...error.failures], error.undone);
    }
  });
}

/** Makes the bucket if it is not there. */
export async function ensureBucket(context: StoreContext, bucket: string, options: BucketOptions): Promise<void> {
  checkBucketName(bucket);
  const { document } = await readBucket(context, await context.lookForWriting(), bucket);
  if (document !== undefined) return;
  try {
    await createBucket(context, bucket, options);
  } catch (error) {
    if (!isStoreError(error, 'BUCKET_EXISTS')) throw error;
  }
}

/** Deletes a bucket that holds no object; like `deleteObject`, it ends what a delete that died began. @throws NO_SUCH_BUCKET, BUCKET_NOT_EMPTY */
export async function deleteBucket(context: StoreContext, bucket: string, options: BucketOptions): Promise<void> {
  checkBucketName(bucket);
  await Operation.run(context, { signal: options.signal }, async (operation) => {
    const locked = await operation.lockBucket(bucket);
    const { view, document } = locked;
    if (document !== undefined) await refuseObjects(context, bucket);
    // A tombstone needs the folder also where nothing is left of the bucket.
    if (view.offline.length > 0) await operation.makeBucketFolder(view.online, bucket);
    await operation.retract(locked, async () => {
      const version = await mintVersion(operation, locked);
      return makeBucketDocument({ bucket, version, createdAt: new Date().toISOString(), deleted: true });
    });
    await removeFolders(view, bucket);
    if (document === undefined) throw noSuchBucket(bucket);
  });
}

async function refuseObjects(context: StoreContext, bucket: string): Promise<void> {
  for await (const entry of list(context, bucket, {})) {
    const key = entry.kind === 'object' ? entry.key : entry.prefix;
    const message = `bucket "${bucket}" is not empty: it holds ${JSON.stringify(key)}`;
    throw new StoreError('BUCKET_NOT_EMPTY', message, { bucket, key });
  }
}

/** The buckets, in the order of their names. @throws TOO_FEW_DISKS_TO_READ */
export async function listBuckets(context: StoreContext, allowStale: boolean): Promise<ListedBucket[]> {
  const view = await context.lookForReading(allowStale);
  const buckets: ListedBucket[] = [];
  for (const bucket of await new Walk(context, view, {}, { allowStale }).buckets()) {
    const { document } = await readBucket(context, view, bucket, allowStale);
    if (document === undefined) continue;
    const { createdAt, redundancy } = document;
    buckets.push({ bucket, createdAt, ...(redundancy === undefined ? {} : { redundancy }) });
  }
  // A disk that has gone meanwhile has no buckets either.
  await context.confirm(view, allowStale);
  return buckets;
}

/** Removes a bucket's folders where nothing is in them. The caller holds the bucket's lock alone. */
async function removeFolders({ online }: DiskView, bucket: string): Promise<void> {
  await Promise.all(online.map((disk) => disk.removeFolder(bucketFolder(bucket)).catch(() => false)));
}
