import { ChunkWriter } from '../chunks/chunk-writer.ts';
import { openSource, type ChunkSource, type PutSource } from '../chunks/source.ts';
import { describeOffline, type OfflineDisk } from '../disks/disk-set.ts';
import { StoreError, throwIfAborted } from '../errors.ts';
import { lockName } from '../locks/locks.ts';
import { newestCopy } from '../metadata/copies.ts';
import { CHUNK_SIZE, CHUNKS_FOLDER, makeObjectMeta, type ChunkEntry, type ObjectMeta } from '../metadata/meta.ts';
import { checkBucketName, checkKey } from '../metadata/names.ts';
import { mintVersion } from '../metadata/version.ts';
import { lockForCommit, objectVersions, publishMeta, UncertainCommitError, withWriter, type Writer } from './commit.ts';
import type { StoreContext } from './context.ts';
import { requireBucket } from './documents.ts';
import { reclaim } from './reclaim.ts';
import type { Durability } from './store-document.ts';

export interface PutOptions {
  /** MIME type; `application/octet-stream` if not given. */
  contentType?: string | undefined;
  /** Instead of the store's setting. */
  durability?: Durability | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the bytes of every chunk that has been written. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** An upload that counts: the meta on W disks, every chunk where the meta says. */
export interface PutResult {
  meta: ObjectMeta;
  /** Disks that were offline. */
  offline: OfflineDisk[];
  /** Disks that failed while others took their share; each with its error in words. */
  failed: { disk: string; reason: string }[];
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
  // Said early where it can be: the commit makes sure.
  if (!context.buckets.has(bucket)) await requireBucket(context, view, bucket);
  const { concurrency, pool } = context;
  const chunkWriter = new ChunkWriter(view.online, { id, durable, concurrency, pool, signal, onBytes: options.onBytes });
  try {
    const chunks = await chunkWriter.write(input);
    await input.check();
    const { meta, failures } = await commit(context, writer, bucket, key, chunks, options);
    const failed = new Map([...chunkWriter.failures, ...failures.map(({ disk, error }) => [disk, error] as const)]);
    return {
      meta,
      offline: writer.view.offline,
      failed: [...failed].map(([disk, error]) => ({ disk: disk.name, reason: error.message })),
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
  bucket: string,
  key: string,
  chunks: ChunkEntry[],
  options: PutOptions,
): Promise<{ meta: ObjectMeta; failures: Awaited<ReturnType<typeof publishMeta>> }> {
  const copies = await lockForCommit(context, writer, bucket, key);
  checkChunkDisks(writer, chunks);
  const before = newestCopy(copies)?.document.version;
  const meta = makeObjectMeta({
    bucket,
    key,
    // The last to commit wins, whoever began first and whatever the clocks say: its version must be the newest.
    version: before !== undefined && before >= writer.id ? mintVersion(before) : writer.id,
    createdAt: new Date().toISOString(),
    size: chunks.reduce((sum, chunk) => sum + chunk.size, 0),
    contentType: options.contentType ?? 'application/octet-stream',
    chunkSize: CHUNK_SIZE,
    redundancy: '1+0',
    directory: `${CHUNKS_FOLDER}/${writer.id}`,
    chunks,
    parity: [],
  });
  throwIfAborted(options.signal);
  const failures = await publishMeta(context, writer, copies, meta);
  writer.session.unlock(lockName.key(bucket, key));
  for (const older of objectVersions(copies)) await reclaim(writer.session, writer.view, older);
  return { meta, failures };
}

/** A disk that took chunks of this upload and is no longer there may not have been the right one. */
function checkChunkDisks({ view }: Writer, chunks: readonly ChunkEntry[]): void {
  const online = new Set(view.online.map((disk) => disk.name));
  const lost = chunks.find((chunk) => !online.has(chunk.disk));
  if (lost === undefined) return;
  throw new StoreError(
    'TOO_FEW_DISKS_TO_WRITE',
    `a disk went offline during the upload, with chunks of it: ${describeOffline(view.offline)}`,
    { disk: lost.disk, chunk: lost.order },
  );
}
