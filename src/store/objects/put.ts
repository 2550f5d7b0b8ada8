import { ChunkWriter } from '../../chunks/chunk-writer.ts';
import { openSource, type ChunkSource, type PutSource } from '../../chunks/source.ts';
import { loseShards, type WrittenChunks } from '../../chunks/written-chunks.ts';
import { describeOffline, type DiskView, type OfflineDisk } from '../../disks/disk-set.ts';
import { StoreError, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { CHUNK_SIZE, CHUNKS_FOLDER, makeObjectMeta, type ObjectMeta } from '../../metadata/meta.ts';
import { checkBucketName, checkKey } from '../../metadata/names.ts';
import { checkRedundancy, parseRedundancy } from '../../metadata/redundancy.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';
import { mintVersion } from '../protocol/clock.ts';
import {
  lockForCommit,
  objectVersions,
  publishMeta,
  UncertainCommitError,
  withWriter,
  type Writer,
} from '../protocol/commit.ts';
import type { StoreContext } from '../protocol/context.ts';
import { requireBucket } from '../protocol/documents.ts';
import { reclaim } from '../protocol/reclaim.ts';
import type { Durability } from '../members/store-document.ts';

export interface PutOptions {
  /** MIME type; `application/octet-stream` if not given. */
  contentType?: string | undefined;
  /** `k+m`, instead of the bucket's or the store's. */
  redundancy?: string | undefined;
  /** Instead of the store's setting. */
  durability?: Durability | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the bytes of every chunk that has been written. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** An upload that counts: the meta on W disks, and enough of every stripe to read it. */
export interface PutResult {
  meta: ObjectMeta;
  /** Disks that were offline. */
  offline: OfflineDisk[];
  /** Disks that failed while others took their share; each with its error in words. */
  failed: { disk: string; reason: string }[];
  /** Chunks and parity that had no disk to go to: as long as `heal` has not made them, the object is less protected than it should be. */
  unwritten: ShardEntry[];
}

/**
 * Stores an object in one step: until its commit the previous version stays, and on any failure nothing of the new one.
 *
 * Order, which crash safety rests on: chunks durable, then the names of the chunks, then the metas, then the chunks of
 * the version before are removed. The upload holds its version's lock all the while, so `gc` knows it is at work.
 */
export async function put(
  context: StoreContext,
  bucket: string,
  key: string,
  source: PutSource,
  options: PutOptions,
): Promise<PutResult> {
  checkBucketName(bucket);
  checkKey(key);
  if (options.redundancy !== undefined) parseRedundancy(options.redundancy);
  const input = await openSource(source, options.signal);
  try {
    return await withWriter(context, options, (writer) => write(context, writer, bucket, key, input, options));
  } finally {
    await input.close();
  }
}

async function write(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  key: string,
  input: ChunkSource,
  options: PutOptions,
): Promise<PutResult> {
  const { id, view, durable, signal } = writer;
  const settings =
    (await context.buckets.unchanged(view, bucket)) ?? (await requireBucket(context, view, bucket)).document;
  const { members, concurrency, pool } = context;
  const redundancy = options.redundancy ?? settings.redundancy ?? members.document.redundancy;
  const { belong } = members;
  const chunkWriter = new ChunkWriter(
    view.online.filter(({ name }) => belong.includes(name)),
    {
      id,
      redundancy: checkRedundancy(redundancy, belong.length),
      belong,
      durable,
      concurrency,
      pool,
      signal,
      onBytes: options.onBytes,
    },
  );
  try {
    const written = await chunkWriter.write(input);
    await input.check();
    const { meta, failures } = await commit(context, writer, { bucket, key, redundancy }, view, written, options);
    const failed = new Map([...chunkWriter.failures, ...failures.map(({ disk, error }) => [disk, error] as const)]);
    return {
      meta,
      offline: writer.view.offline,
      failed: [...failed].map(([disk, error]) => ({ disk: disk.name, reason: error.message })),
      unwritten: written.unwritten,
    };
  } catch (error) {
    if (error instanceof UncertainCommitError) throw error.reason;
    // A commit that was taken back may have been seen: whoever reads the version finishes on it, and gc removes it later.
    if (writer.session.tryLock(lockName.version(id), 'exclusive')) await chunkWriter.discard();
    throw error;
  }
}

async function commit(
  context: StoreContext,
  writer: Writer,
  { bucket, key, redundancy }: { bucket: string; key: string; redundancy: string },
  began: DiskView,
  written: WrittenChunks,
  options: PutOptions,
): Promise<{ meta: ObjectMeta; failures: Awaited<ReturnType<typeof publishMeta>> }> {
  const copies = await lockForCommit(context, writer, bucket, key);
  const { chunks, parity } = written;
  checkChunkDisks(writer, began, written);
  const meta = makeObjectMeta({
    bucket,
    key,
    // The last to commit wins, whoever began first: its version must be the newest.
    version: await mintVersion(context, writer, copies),
    createdAt: new Date().toISOString(),
    size: chunks.reduce((sum, chunk) => sum + chunk.size, 0),
    contentType: options.contentType ?? 'application/octet-stream',
    chunkSize: CHUNK_SIZE,
    redundancy,
    directory: `${CHUNKS_FOLDER}/${writer.id}`,
    chunks,
    parity,
  });
  throwIfAborted(options.signal);
  const failures = await publishMeta(context, writer, copies, meta);
  writer.session.unlock(lockName.key(bucket, key));
  for (const older of objectVersions(copies)) await reclaim(writer.session, writer.view, older);
  return { meta, failures };
}

/**
 * A disk that took chunks of this upload and is no longer there may not have been the right one. What it took counts as
 * not written. @throws TOO_FEW_DISKS_TO_WRITE where too little of a stripe is left
 */
function checkChunkDisks({ view, chunksOnly = [] }: Writer, began: DiskView, written: WrittenChunks): void {
  // The very disks, not those of the same names: one may have been replaced.
  const online = new Set(
    [...view.online, ...chunksOnly].filter((disk) => began.online.includes(disk)).map((disk) => disk.name),
  );
  const lost = loseShards(written, ({ disk }) => !online.has(disk));
  if (lost === undefined) return;
  const reason =
    view.offline.length === 0 ? `disk "${lost[0]?.disk ?? ''}" was replaced or removed` : describeOffline(view.offline);
  throw new StoreError(
    'TOO_FEW_DISKS_TO_WRITE',
    `a disk went offline during the upload, with chunks of it: ${reason}`,
    { disk: lost[0]?.disk ?? '', disks: lost.map(({ disk }) => disk) },
  );
}
