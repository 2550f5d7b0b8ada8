import { isDiskFault, isStoreError, StoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { bucketFolder, bucketKind } from '../../metadata/catalog.ts';
import { makeBucketDocument, type BucketDocument } from '../../metadata/bucket-document.ts';
import type { Copy } from '../../metadata/copies.ts';
import { formatDocument } from '../../metadata/document.ts';
import { checkBucketName } from '../../metadata/names.ts';
import { checkRedundancy } from '../../metadata/redundancy.ts';
import { publish, PublishError, type DiskFailure, type PublishOptions } from '../../metadata/publish.ts';
import { retract } from '../../metadata/retract.ts';
import { mintVersion } from '../protocol/clock.ts';
import { makeBucketFolder, quorumError, throwAsDiskError, withWriter, type Writer } from '../protocol/commit.ts';
import type { StoreContext } from '../protocol/context.ts';
import { noSuchBucket, readBucket } from '../protocol/documents.ts';
import { list } from './list.ts';
import { bucketFolders } from '../protocol/walk.ts';

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
  const { redundancy } = options;
  await alone(context, bucket, options, async (writer) => {
    if (redundancy !== undefined) checkRedundancy(redundancy, context.members.belong.length);
    const { document: existing, copies } = await readBucket(context, writer.view, bucket);
    if (existing !== undefined)
      throw new StoreError('BUCKET_EXISTS', `there is a bucket "${bucket}" already`, { bucket });
    const version = await mintVersion(context, writer, copies);
    const failures = await makeFolders(copies, bucket, writer.durable);
    const able = copies.filter(({ disk }) => !failures.some((failure) => failure.disk === disk));
    const document = makeBucketDocument({
      bucket,
      version,
      createdAt: new Date().toISOString(),
      ...(redundancy === undefined ? {} : { redundancy }),
    });
    try {
      await publish(able, Buffer.from(formatDocument(document)), publishOptions(context, writer, bucket));
    } catch (error) {
      // What was made for nothing goes again; a bucket's folder is empty without its document.
      await removeFolders(writer, bucket);
      if (error instanceof PublishError) throw quorumError(context, [...failures, ...error.failures]);
      throw error;
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
  await alone(context, bucket, options, async (writer) => {
    const { view } = writer;
    const { document, copies } = await readBucket(context, view, bucket);
    if (document !== undefined) await refuseObjects(context, bucket);
    const tombstone = async (): Promise<Buffer> => {
      const version = await mintVersion(context, writer, copies);
      return Buffer.from(
        formatDocument(makeBucketDocument({ bucket, version, createdAt: new Date().toISOString(), deleted: true })),
      );
    };
    // A tombstone needs the folder also where nothing is left of the bucket.
    if (view.offline.length > 0) await makeFolders(copies, bucket, writer.durable);
    await retract(copies, tombstone, {
      ...publishOptions(context, writer, bucket),
      areAllOnline: async () => view.offline.length === 0 && (await context.disks.areAllOnline()),
    }).catch((error: unknown) => throwAsDiskError(context, error));
    await removeFolders(writer, bucket);
    if (document === undefined) throw noSuchBucket(bucket);
  });
}

async function refuseObjects(context: StoreContext, bucket: string): Promise<void> {
  for await (const entry of list(context, bucket, {})) {
    const key = entry.kind === 'object' ? entry.key : entry.prefix;
    throw new StoreError('BUCKET_NOT_EMPTY', `bucket "${bucket}" is not empty: it holds ${JSON.stringify(key)}`, {
      bucket,
      key,
    });
  }
}

/** The buckets, in the order of their names. @throws TOO_FEW_DISKS_TO_READ */
export async function listBuckets(context: StoreContext, allowStale: boolean): Promise<ListedBucket[]> {
  const view = await context.lookForReading(allowStale);
  const buckets: ListedBucket[] = [];
  for (const bucket of await bucketFolders(context, view, { allowStale })) {
    const { document } = await readBucket(context, view, bucket, allowStale);
    if (document !== undefined)
      buckets.push({
        bucket,
        createdAt: document.createdAt,
        ...(document.redundancy === undefined ? {} : { redundancy: document.redundancy }),
      });
  }
  // A disk that has gone meanwhile has no buckets either.
  await context.confirm(view, allowStale);
  return buckets;
}

/** Makes a bucket's folder on the disks of the copies, and tells which could not. */
async function makeFolders(
  copies: readonly Copy<BucketDocument>[],
  bucket: string,
  durable: boolean,
): Promise<DiskFailure[]> {
  const failures: DiskFailure[] = [];
  for (const { disk } of copies) {
    try {
      await makeBucketFolder(disk, bucket, durable);
    } catch (error) {
      if (!isDiskFault(error)) throw error;
      failures.push({ disk, error });
    }
  }
  return failures;
}

/** Removes a bucket's folders where nothing is in them. The caller holds the bucket's lock alone. */
async function removeFolders({ view }: Writer, bucket: string): Promise<void> {
  await Promise.all(view.online.map((disk) => disk.removeFolder(bucketFolder(bucket)).catch(() => false)));
}

/** Runs `work` as the only one to change the bucket: no commit in it, no other create or delete. */
async function alone(
  context: StoreContext,
  bucket: string,
  options: BucketOptions,
  work: (writer: Writer) => Promise<void>,
): Promise<void> {
  checkBucketName(bucket);
  await withWriter(context, options, async (writer) => {
    await context.lockDisks(writer);
    await writer.session.lock(lockName.bucket(bucket), 'exclusive', options.signal);
    writer.view = await context.disks.narrow(writer.view);
    context.disks.requireVoters(writer.view);
    await work(writer);
  });
}

function publishOptions(context: StoreContext, { id, durable }: Writer, bucket: string): PublishOptions {
  return {
    path: bucketKind(bucket).path,
    within: bucketFolder(bucket),
    id,
    durable,
    quorum: context.disks.writeQuorum,
  };
}
