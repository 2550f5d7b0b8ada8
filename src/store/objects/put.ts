import { ChunkWriter } from '../../chunks/chunk-writer.ts';
import { openSource, type ChunkSource, type PutSource } from '../../chunks/source.ts';
import { loseShards, type WrittenChunks } from '../../chunks/written-chunks.ts';
import { describeOffline, type OfflineDisk } from '../../disks/disk-set.ts';
import { StoreError, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { CHUNK_SIZE, makeObjectMeta, type ObjectMeta } from '../../metadata/meta.ts';
import { checkBucketName, checkKey, type Address } from '../../metadata/names.ts';
import { mayShow, type DiskFailure } from '../../metadata/publish.ts';
import { checkRedundancy, parseRedundancy } from '../../metadata/redundancy.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';
import { mintVersion } from '../protocol/clock.ts';
import type { StoreContext } from '../protocol/context.ts';
import { requireBucket } from '../protocol/read-documents.ts';
import { Operation, type LockedKey } from '../protocol/operation.ts';
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
 * the version before are removed. The upload's id is locked all the while, so `gc` knows it is at work.
 */
export async function put(
  context: StoreContext,
  { bucket, key }: Address,
  source: PutSource,
  options: PutOptions,
): Promise<PutResult> {
  checkBucketName(bucket);
  checkKey(key);
  if (options.redundancy !== undefined) parseRedundancy(options.redundancy);
  const input = await openSource(source, options.signal);
  try {
    return await upload(context, { bucket, key }, input, options);
  } finally {
    await input.close();
  }
}

/** The same of a source that is open, for an address and options that have been checked. */
export function upload(
  context: StoreContext,
  address: Address,
  input: ChunkSource,
  options: PutOptions,
): Promise<PutResult> {
  const { durability, signal } = options;
  return Operation.run(context, { durability, signal }, (operation) =>
    new Upload(operation, address, options).run(input),
  );
}

class Upload {
  readonly #operation: Operation;
  readonly #address: Address;
  readonly #options: PutOptions;

  constructor(operation: Operation, address: Address, options: PutOptions) {
    this.#operation = operation;
    this.#address = address;
    this.#options = options;
  }

  async run(input: ChunkSource): Promise<PutResult> {
    const { context, session, id, view, durable, signal } = this.#operation;
    const { bucket, key } = this.#address;
    const { members, concurrency, pool, budget, folders } = context;
    const settings =
      (await context.buckets.unchanged(view, bucket)) ?? (await requireBucket(context, view, bucket)).document;
    const redundancy = this.#options.redundancy ?? settings.redundancy ?? members.document.redundancy;
    const { belong } = members;
    const disks = view.online.filter(({ name }) => belong.includes(name));
    const shape = checkRedundancy(redundancy, belong.length);
    const { onBytes } = this.#options;
    const how = { id, redundancy: shape, belong, durable, concurrency, pool, budget, folders, signal, onBytes };
    const chunkWriter = new ChunkWriter(disks, how);
    try {
      const written = await chunkWriter.write(input);
      await input.check();
      const { meta, offline, failures } = await this.#commit(written, redundancy);
      const errors = new Map([...chunkWriter.failures, ...failures.map(({ disk, error }) => [disk, error] as const)]);
      const failed = [...errors].map(([disk, error]) => ({ disk: disk.name, reason: error.message }));
      return { meta, offline, failed, unwritten: written.unwritten };
    } catch (error) {
      // Where some disk may show the meta, its chunks stay. One that was taken back may have been seen: whoever reads the
      // version finishes on it, and gc removes it later.
      const isShown = mayShow(error, metaKind(bucket, key).path);
      if (!isShown && session.tryLock(lockName.upload(id), 'exclusive')) await chunkWriter.discard();
      throw error;
    }
  }

  async #commit(
    written: WrittenChunks,
    redundancy: string,
  ): Promise<{ meta: ObjectMeta; offline: OfflineDisk[]; failures: DiskFailure[] }> {
    const { session, signal } = this.#operation;
    const { bucket, key } = this.#address;
    const locked = await this.#operation.lockKey(bucket, key);
    this.#loseChunks(written, locked);
    const { chunks, parity } = written;
    const meta = makeObjectMeta({
      bucket,
      key,
      // The last to commit wins, whoever began first: its version must be the newest.
      version: await mintVersion(this.#operation, locked),
      createdAt: new Date().toISOString(),
      size: chunks.reduce((sum, chunk) => sum + chunk.size, 0),
      contentType: this.#options.contentType ?? 'application/octet-stream',
      chunkSize: CHUNK_SIZE,
      redundancy,
      chunks,
      parity,
    });
    throwIfAborted(signal);
    const failures = await this.#operation.publish(locked, meta);
    session.unlock(lockName.key(bucket, key));
    await reclaim(this.#operation, locked.view, locked.copies);
    return { meta, offline: locked.view.offline, failures };
  }

  /**
   * A disk that took chunks of this upload and is no longer there may not have been the right one. What it took counts as
   * not written. @throws TOO_FEW_DISKS_TO_WRITE where too little of a stripe is left
   */
  #loseChunks(written: WrittenChunks, { view, chunksOnly }: LockedKey): void {
    const began = this.#operation.view.online;
    // The very disks, not those of the same names: one may have been replaced.
    const there = [...view.online, ...chunksOnly].filter((disk) => began.includes(disk));
    const online = new Set(there.map(({ name }) => name));
    const lost = loseShards(written, ({ disk }) => !online.has(disk));
    if (lost === undefined) return;
    const disks = lost.map(({ disk }) => disk);
    const [disk = ''] = disks;
    const reason = view.offline.length === 0 ? `disk "${disk}" was replaced or removed` : describeOffline(view.offline);
    const message = `a disk went offline during the upload, with chunks of it: ${reason}`;
    throw new StoreError('TOO_FEW_DISKS_TO_WRITE', message, { disk, disks });
  }
}
