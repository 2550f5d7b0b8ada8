import type { Disk } from '../../disks/disk.ts';
import { describeOffline, type DiskView, type OfflineDisk } from '../../disks/disk-set.ts';
import { isDiskFault, StoreError, throwIfAborted } from '../../errors.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { bucketFolder, bucketKind, BUCKETS_FOLDER, metaKind } from '../../metadata/catalog.ts';
import { newestCopy, readCopies, type Copy } from '../../metadata/copies.ts';
import { formatDocument } from '../../metadata/document.ts';
import { directoryId, isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import { publish, PublishError, type DiskFailure } from '../../metadata/publish.ts';
import { mintId } from '../../metadata/version.ts';
import type { StoreContext } from './context.ts';
import { refuseCollision, requireBucket } from './documents.ts';
import type { Durability } from '../members/store-document.ts';

/** An operation that writes: its locks, its id (locked as a version), and its disks. */
export interface Writer {
  session: LockSession;
  id: string;
  view: DiskView;
  /** Disks that can't take metas, but have kept their chunks. */
  chunksOnly?: readonly Disk[] | undefined;
  durable: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Runs `work` as an operation that writes. Its id is locked all the while, so that what it stages, and the chunks that
 * it writes under that id, are known to be in use. @throws STORE_NOT_WRITABLE, TOO_FEW_DISKS_TO_WRITE
 */
export async function withWriter<T>(
  context: StoreContext,
  options: { durability?: Durability | undefined; signal?: AbortSignal | undefined },
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  throwIfAborted(options.signal);
  const session = await context.locks.open('write');
  try {
    const id = mintId();
    await session.lock(lockName.version(id), 'shared');
    const view = await context.lookForWriting();
    const durable = (options.durability ?? context.durability) === 'fsync';
    return await work({ session, id, view, durable, signal: options.signal });
  } finally {
    await session.close();
  }
}

/** A failed commit after which some disk may still show the new document, so that its chunks must stay. */
export class UncertainCommitError extends Error {
  readonly reason: StoreError;
  constructor(reason: StoreError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** Takes the locks of a commit of `key`: nobody else changes its meta, and the bucket stays. @throws NO_SUCH_BUCKET */
export async function lockForCommit(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  key: string,
): Promise<Copy<Meta>[]> {
  const { session, id, durable, signal } = writer;
  await context.lockDisks(writer);
  await session.lock(lockName.bucket(bucket), 'shared', signal);
  await session.lock(lockName.key(bucket, key), 'exclusive', signal);
  writer.view = await context.disks.narrow(writer.view);
  if ((await context.buckets.unchanged(writer.view, bucket)) === undefined) {
    const stamps = await context.buckets.stamps(writer.view, bucket);
    const { document, copies } = await requireBucket(context, writer.view, bucket);
    const behind = copies.filter((copy) => isBehind(copy, document.version));
    const source = newestCopy(copies);
    // A disk that was away when the bucket was made learns of it now; if it can't, its metas will fail and be counted.
    if (behind.length > 0 && source !== undefined) await bringBucket(behind, source.bytes, bucket, id, durable);
    if (behind.length === 0) context.buckets.remember(document, stamps);
  }
  if (durable && !context.buckets.isDurable(bucket) && (await syncBucketFolders(context, writer)))
    context.buckets.setDurable(bucket);
  context.disks.requireVoters(writer.view);
  const metas = await readCopies(writer.view.online, metaKind(bucket, key));
  refuseCollision(bucket, key, metas);
  // Should this commit be taken back, these count again: gc must not take them for dead meanwhile.
  for (const meta of objectVersions(metas)) await session.lock(lockName.version(directoryId(meta)), 'shared', signal);
  return metas;
}

/**
 * Publishes a meta on all disks of the view; the caller holds the commit's locks and read `copies` under them.
 * @throws the disks' error when the quorum was not reached and every disk is as before; otherwise UncertainCommitError
 */
export async function publishMeta(
  context: StoreContext,
  writer: Writer,
  copies: readonly Copy<Meta>[],
  meta: Meta,
): Promise<DiskFailure[]> {
  const { id, durable } = writer;
  const { path } = metaKind(meta.bucket, meta.key);
  const options = {
    path,
    within: bucketFolder(meta.bucket),
    id,
    durable,
    quorum: context.disks.writeQuorum,
    beforeUndo: () => writer.session.mark(),
  };
  try {
    return await publish(copies, Buffer.from(formatDocument(meta)), options);
  } catch (error) {
    if (!(error instanceof PublishError)) throw error;
    const reason = quorumError(context, error.failures);
    throw error.undone ? reason : new UncertainCommitError(reason);
  }
}

/**
 * Makes durable what leads to the bucket's folder: whoever made it may have died before. The rest is synced with each meta.
 * A disk that fails takes no meta, but may well have its chunks; tells whether none did. @throws TOO_FEW_DISKS_TO_WRITE
 */
async function syncBucketFolders(context: StoreContext, writer: Writer): Promise<boolean> {
  const failed: OfflineDisk[] = [];
  for (const disk of writer.view.online) {
    try {
      for (const folder of ['.', BUCKETS_FOLDER]) await disk.syncFolder(folder);
    } catch (error) {
      if (!isDiskFault(error)) throw error;
      failed.push({ disk: disk.name, state: { status: 'unreadable', reason: error.message } });
    }
  }
  const online = writer.view.online.filter(({ name }) => !failed.some(({ disk }) => disk === name));
  writer.chunksOnly = writer.view.online.filter((disk) => !online.includes(disk));
  writer.view = { online, offline: [...writer.view.offline, ...failed] };
  const needed = context.disks.writeQuorum;
  if (online.length < needed) {
    throw new StoreError('TOO_FEW_DISKS_TO_WRITE', `a write needs ${needed} disks: ${describeOffline(failed)}`, {
      expected: needed,
      found: online.length,
    });
  }
  return failed.length === 0;
}

/** Whether a disk lacks a version, or has it damaged; what a later program has written is not to be touched. */
function isBehind(copy: Copy<BucketDocument>, version: string): boolean {
  if (copy.state === 'bad') return copy.error.code !== 'UNKNOWN_FORMAT';
  return copy.state !== 'valid' || copy.document.version !== version;
}

/** Puts a bucket's document, as it is, on disks that do not have it, as far as they can take it. */
export async function bringBucket(
  behind: readonly Copy<unknown>[],
  bytes: Uint8Array,
  bucket: string,
  id: string,
  durable: boolean,
): Promise<void> {
  await Promise.all(
    behind.map(async (copy) => {
      await makeBucketFolder(copy.disk, bucket, durable).catch(() => undefined);
      const options = { path: bucketKind(bucket).path, within: bucketFolder(bucket), id, durable, quorum: 1 };
      await publish([copy], bytes, options).catch(() => undefined);
    }),
  );
}

export async function makeBucketFolder(disk: Disk, bucket: string, durable: boolean): Promise<void> {
  await disk.makeFolder(bucketFolder(bucket));
  if (durable) await disk.syncFolder(BUCKETS_FOLDER);
}

/** Rethrows an error, a failed publish as the error of its disks. */
export function throwAsDiskError(context: StoreContext, error: unknown, needed = context.disks.writeQuorum): never {
  throw error instanceof PublishError ? quorumError(context, error.failures, needed) : error;
}

/** The error for a write that too few disks took: their own, the one that is worst first. */
export function quorumError(
  context: StoreContext,
  failures: readonly DiskFailure[],
  needed = context.disks.writeQuorum,
): StoreError {
  const errors = failures.map((failure) => failure.error);
  const first = errors.find(({ code }) => code !== 'DISK_FULL') ?? errors[0];
  if (first === undefined) {
    return new StoreError('TOO_FEW_DISKS_TO_WRITE', `a write needs ${needed} disks`, { expected: needed });
  }
  return new StoreError(
    first.code,
    `too few disks took the write (${needed} must): ${first.message}`,
    first.details,
    first,
  );
}

/** The object versions among a key's copies, each once. */
export function objectVersions(copies: readonly Copy<Meta>[]): ObjectMeta[] {
  const versions = new Map<string, ObjectMeta>();
  for (const copy of copies) {
    if (copy.state === 'valid' && !isTombstone(copy.document)) versions.set(copy.document.directory, copy.document);
  }
  return [...versions.values()];
}
