import { removeChunks } from '../../chunks/remove-chunks.ts';
import { ShardReader } from '../../chunks/shard-reader.ts';
import { runWorkers } from '../../concurrency/workers.ts';
import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { isDiskFault, isStoreError, StoreError, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { newestCopy } from '../../metadata/copies.ts';
import { compareAge } from '../../metadata/document.ts';
import { isTombstone, makeObjectMeta, uploadIds, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import { mayShow } from '../../metadata/publish.ts';
import { byUpload } from '../../metadata/shard-file.ts';
import { stripesOf, type ShardEntry, type Stripe } from '../../metadata/stripes.ts';
import { mintVersion } from '../protocol/clock.ts';
import type { StoreContext } from '../protocol/context.ts';
import { readObjectMeta } from '../protocol/read-documents.ts';
import { Operation } from '../protocol/operation.ts';
import { healthWithoutMeta } from './examine.ts';
import { diagnose, type ObjectHealth } from './diagnosis.ts';
import { StripeMender, type MendedStripe, type MendOptions } from './mend-stripe.ts';
import { holdVersion } from '../protocol/open-version.ts';
import { ShardFiles } from './shard-files.ts';

/** What was done to an object. */
export interface Mended {
  /** How it is now; undefined where there is no such object. After `movesOnly`, what was not read counts as whole. */
  health: ObjectHealth | undefined;
  /** Shards, and their bytes, that were missing or wrong and have been written, read back and found right. */
  rebuilt: number;
  rebuiltBytes: number;
  /** The same of shards that have been moved to another disk. */
  moved: number;
  movedBytes: number;
  /** What could not be done, in words. */
  failed: string[];
}

/**
 * Moves are recorded in the meta after so many stripes at least, so that one that is interrupted has not been for nothing;
 * and at most so many times, because the meta of a large object is large.
 */
const LEAST_STRIPES = 256;
const MOST_BATCHES = 16;

/** Stripes of an object that are worked on side by side, as far as the budget goes. */
const AT_ONCE = 8;

/**
 * Brings the chunks and parity of an object to where they should be, whole. Its version stays locked meanwhile, as by a
 * reader, and only one mender is at work on it. What is moved is first written to its new place, then the meta says so,
 * and only then, and only if nobody is reading, it is removed from the old one; what stays is a leftover, which `gc` finds.
 */
export async function mend(context: StoreContext, bucket: string, key: string, options: MendOptions): Promise<Mended> {
  return Operation.run(context, { signal: options.signal }, async (operation) => {
    const mended: Mended = { health: undefined, rebuilt: 0, rebuiltBytes: 0, moved: 0, movedBytes: 0, failed: [] };
    let meta: ObjectMeta;
    try {
      meta = await holdAlone(operation, { bucket, key });
    } catch (error) {
      return { ...mended, health: await healthWithoutMeta(context, { bucket, key }, error) };
    }
    // Who mended it before us may have given up a call to a disk, and we have waited for its lock.
    const view = await context.disks.narrow(operation.view);
    return new Mending({ operation, view, meta, options, mended }).run();
  });
}

/** Locks the newest version against removal and against other menders. */
async function holdAlone(operation: Operation, address: Address): Promise<ObjectMeta> {
  const { context, session, view, signal } = operation;
  for (;;) {
    const meta = await holdVersion(context, address, operation);
    const mending = lockName.mend(meta.version);
    await session.lock(mending, 'exclusive', signal);
    // Another mender may have moved chunks, or another upload have come, while we waited.
    const now = await readObjectMeta(context, view, address);
    if (now.version === meta.version) return now;
    for (const name of [mending, ...uploadIds(meta).map(lockName.upload)]) session.unlock(name);
  }
}

class Mending {
  readonly #context: StoreContext;
  readonly #operation: Operation;
  /** The disks, looked at since the version is held. */
  readonly #view: DiskView;
  readonly #options: MendOptions;
  readonly #mended: Mended;
  readonly #files: ShardFiles;
  #meta: ObjectMeta;
  #faults = new Map<string, StoreError>();
  readonly #repaired: ShardEntry[] = [];

  constructor(work: { operation: Operation; view: DiskView; meta: ObjectMeta; options: MendOptions; mended: Mended }) {
    const { operation, view, meta, options, mended } = work;
    this.#context = operation.context;
    this.#operation = operation;
    this.#view = view;
    this.#meta = meta;
    this.#options = options;
    this.#mended = mended;
    this.#files = new ShardFiles(operation.context.folders, view.online, operation.durable);
  }

  async run(): Promise<Mended> {
    const stripes = stripesOf(this.#meta);
    const batch = Math.max(LEAST_STRIPES, Math.ceil(stripes.length / MOST_BATCHES));
    for (let first = 0; first < stripes.length; first += batch)
      await this.#mendBatch(stripes.slice(first, first + batch));
    await this.#files.removeSetAside(this.#options.movesOnly ? this.#repaired : this.#faultless());
    const { session, signal } = this.#operation;
    const looking = { session, view: this.#view, signal };
    const health = await diagnose(this.#context, looking, this.#meta, ({ file }) => this.#faults.get(file));
    return { ...this.#mended, health };
  }

  async #mendBatch(stripes: readonly Stripe[]): Promise<void> {
    const reader = new ShardReader(this.#meta, this.#view);
    const version = { meta: this.#meta, reader, files: this.#files };
    const mender = new StripeMender(this.#context, version, this.#options);
    const done: MendedStripe[] = [];
    const waiting = stripes.values();
    const [outcome] = await Promise.allSettled([
      runWorkers(AT_ONCE, async () => {
        throwIfAborted(this.#options.signal);
        const next = waiting.next();
        if (next.done === true) return false;
        const stripe = await mender.mend(next.value);
        done.push(stripe);
        await this.#options.throttle.take(stripe.written, this.#options.signal);
        return true;
      }),
    ]);
    // What has been done counts, even if it was interrupted.
    const unsynced = await this.#files.sync();
    for (const stripe of done) condemn(stripe, unsynced);
    const moves = new Map(done.flatMap((stripe) => [...stripe.moves]));
    const isCommitted = moves.size === 0 || (await this.#commitMoves(moves));
    for (const stripe of done) this.#count(stripe, isCommitted);
    if (outcome.status === 'rejected') throw outcome.reason;
  }

  #count({ faults, repaired, moves, failed }: MendedStripe, isCommitted: boolean): void {
    for (const [shard, error] of faults) if (!moves.has(shard) || !isCommitted) this.#faults.set(shard.file, error);
    this.#repaired.push(...repaired);
    for (const shard of repaired) {
      this.#mended.rebuilt++;
      this.#mended.rebuiltBytes += shard.size;
    }
    for (const shard of isCommitted ? moves.keys() : []) {
      this.#mended.moved++;
      this.#mended.movedBytes += shard.size;
    }
    this.#mended.failed.push(...failed);
  }

  #faultless(): ShardEntry[] {
    return [...this.#meta.chunks, ...this.#meta.parity].filter(({ file }) => !this.#faults.has(file));
  }

  /** Says in the meta where chunks are now, and removes them where they were. Tells whether it could. */
  async #commitMoves(moves: ReadonlyMap<ShardEntry, Disk>): Promise<boolean> {
    const { bucket, key } = this.#meta;
    const before = [...moves.keys()];
    const after = [...moves].map(([{ file }, { name }]) => ({ file, disk: name }));
    try {
      // What has been moved when it is interrupted stays moved, so this has no signal; and its locks go with it.
      const meta = await Operation.run(this.#context, { view: this.#view }, (operation) =>
        this.#publishMoves(operation, moves),
      );
      if (meta === undefined) {
        await this.#removeIfIdle(after);
        return false;
      }
      this.#meta = meta;
    } catch (error) {
      if (!isStoreError(error)) throw error;
      // Where some disk may show the new meta, the chunks stay in both places.
      if (!mayShow(error, metaKind(bucket, key).path)) {
        await this.#removeIfIdle(after);
        if (!isDiskFault(error)) throw error;
      }
      this.#mended.failed.push(`the chunks of ${bucket}/${key} could not be moved: ${error.message}`);
      return false;
    }
    await this.#removeIfIdle(before);
    return true;
  }

  /** The new meta; undefined where the version has been overwritten or deleted meanwhile, so that nobody needs it any more. */
  async #publishMoves(operation: Operation, moves: ReadonlyMap<ShardEntry, Disk>): Promise<ObjectMeta | undefined> {
    const locked = await operation.lockKey(this.#meta.bucket, this.#meta.key);
    const newest = newestCopy(locked.copies)?.document;
    if (newest === undefined || isTombstone(newest) || compareAge(newest, this.#meta) !== 0) return undefined;
    const { members } = this.#context;
    const isGone = (disk: Disk): boolean => !locked.view.online.includes(disk) || !members.takesChunks(disk);
    const gone = [...moves.values()].find(isGone)?.name;
    if (gone !== undefined)
      throw new StoreError('DISK_IO', `disk "${gone}" has gone, or is being drained, meanwhile`, { disk: gone });
    // By file: a batch before has made other entries of the same shards.
    const disks = new Map([...moves].map(([{ file }, { name }]) => [file, name]));
    const place = <T extends ShardEntry>(shard: T): T => ({ ...shard, disk: disks.get(shard.file) ?? shard.disk });
    const { checksum, ...content } = this.#meta;
    const meta = makeObjectMeta({
      ...content,
      revision: await mintVersion(operation, locked),
      chunks: this.#meta.chunks.map(place),
      parity: this.#meta.parity.map(place),
    });
    // Who has walked over the metas before has seen the chunks in their old places, and must know even if we die now.
    await operation.session.mark();
    await operation.publish(locked, meta);
    return meta;
  }

  /** Removes files that the meta does not name. Whoever reads the version may be on the way to them: then they are left to `gc`. */
  async #removeIfIdle(shards: readonly { file: string; disk: string }[]): Promise<void> {
    const { session } = this.#operation;
    for (const [id, files] of byUpload(shards)) {
      const name = lockName.upload(id);
      if (!session.tryLock(name, 'exclusive')) continue;
      await removeChunks(this.#view.online, files);
      await session.lock(name, 'shared');
    }
  }
}

/** Names that are not durable count as not written. */
function condemn(stripe: MendedStripe, unsynced: ReadonlyMap<string, StoreError>): void {
  for (const shard of stripe.repaired) {
    const error = unsynced.get(shard.disk);
    if (error !== undefined) stripe.faults.set(shard, error);
  }
  stripe.repaired = stripe.repaired.filter(({ disk }) => !unsynced.has(disk));
  for (const [shard, disk] of stripe.moves) if (unsynced.has(disk.name)) stripe.moves.delete(shard);
  stripe.failed.push(...[...unsynced.values()].map(({ message }) => message));
}
