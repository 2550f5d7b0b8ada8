import { removeChunks } from '../../chunks/remove-chunks.ts';
import { ShardReader } from '../../chunks/shard-reader.ts';
import { runWorkers } from '../../concurrency/workers.ts';
import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { isDiskFault, isStoreError, StoreError, throwIfAborted } from '../../errors.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { newestCopy } from '../../metadata/copies.ts';
import { compareAge } from '../../metadata/document.ts';
import { directoryId, isTombstone, makeObjectMeta, type ObjectMeta } from '../../metadata/meta.ts';
import { stripesOf, type ShardEntry, type Stripe } from '../../metadata/stripes.ts';
import { mintId } from '../../metadata/version.ts';
import { mintVersion } from '../protocol/clock.ts';
import { lockForCommit, publishMeta, UncertainCommitError, type Writer } from '../protocol/commit.ts';
import type { StoreContext } from '../protocol/context.ts';
import { readObjectMeta } from '../protocol/documents.ts';
import { healthWithoutMeta } from './examine.ts';
import { Diagnosis, isGone, readQuietCopies, type ObjectHealth } from './diagnosis.ts';
import { StripeMender, type MendedStripe, type MendOptions } from './mend-stripe.ts';
import { holdVersion } from '../protocol/open-version.ts';
import { ShardFolder } from './shard-folder.ts';

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
  const session = await context.locks.open('write');
  try {
    const id = mintId();
    await session.lock(lockName.version(id), 'shared');
    const view = await context.lookForWriting();
    const writer: Writer = { session, id, view, durable: context.durability === 'fsync', signal: options.signal };
    const mended: Mended = { health: undefined, rebuilt: 0, rebuiltBytes: 0, moved: 0, movedBytes: 0, failed: [] };
    let meta: ObjectMeta;
    try {
      meta = await holdAlone(context, session, view, bucket, key, options.signal);
    } catch (error) {
      return { ...mended, health: await healthWithoutMeta(context, bucket, key, error) };
    }
    // Who mended it before us may have given up a call to a disk, and we have waited for its lock.
    writer.view = await context.disks.narrow(view);
    return await new Mending(context, writer, meta, options, mended).run();
  } finally {
    await session.close();
  }
}

/** Locks the newest version against removal and against other menders. */
async function holdAlone(
  context: StoreContext,
  session: LockSession,
  view: DiskView,
  bucket: string,
  key: string,
  signal: AbortSignal | undefined,
): Promise<ObjectMeta> {
  for (;;) {
    const meta = await holdVersion(context, session, view, bucket, key, false, signal);
    const [version, mending] = [lockName.version(directoryId(meta)), lockName.mend(directoryId(meta))];
    await session.lock(mending, 'exclusive', signal);
    // Another mender may have moved chunks, or another upload have come, while we waited.
    const now = await readObjectMeta(context, view, bucket, key, false);
    if (now.version === meta.version) return now;
    session.unlock(mending);
    session.unlock(version);
  }
}

class Mending {
  readonly #context: StoreContext;
  readonly #writer: Writer;
  readonly #options: MendOptions;
  readonly #mended: Mended;
  readonly #folder: ShardFolder;
  #meta: ObjectMeta;
  #faults = new Map<string, StoreError>();
  readonly #repaired: ShardEntry[] = [];

  constructor(context: StoreContext, writer: Writer, meta: ObjectMeta, options: MendOptions, mended: Mended) {
    this.#context = context;
    this.#writer = writer;
    this.#meta = meta;
    this.#options = options;
    this.#mended = mended;
    this.#folder = new ShardFolder(meta.directory, writer.view.online, writer.durable);
  }

  async run(): Promise<Mended> {
    const stripes = stripesOf(this.#meta);
    const batch = Math.max(LEAST_STRIPES, Math.ceil(stripes.length / MOST_BATCHES));
    for (let first = 0; first < stripes.length; first += batch)
      await this.#mendBatch(stripes.slice(first, first + batch));
    await this.#folder.removeSetAside(this.#options.movesOnly ? this.#repaired : this.#faultless());
    const { session, view } = this.#writer;
    const { bucket, key } = this.#meta;
    const copies = await readQuietCopies(
      session,
      view,
      metaKind(bucket, key),
      lockName.key(bucket, key),
      this.#options.signal,
    );
    if (isGone(copies)) {
      await this.#context.confirm(view);
      return this.#mended;
    }
    const diagnosis = new Diagnosis(this.#context, view, this.#meta, copies);
    for (const stripe of stripesOf(this.#meta)) diagnosis.addStripe(stripe, ({ file }) => this.#faults.get(file));
    return { ...this.#mended, health: diagnosis.conclude() };
  }

  async #mendBatch(stripes: readonly Stripe[]): Promise<void> {
    const reader = new ShardReader(this.#meta, this.#writer.view);
    const mender = new StripeMender(this.#context, this.#meta, reader, this.#folder, this.#options);
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
    const unsynced = await this.#folder.sync();
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
    const { session } = this.#writer;
    const { bucket, key } = this.#meta;
    const before = [...moves.keys()];
    const after = [...moves].map(([{ file }, { name }]) => ({ file, disk: name }));
    // By file: a batch before has made other entries of the same shards.
    const disks = new Map(after.map(({ file, disk }) => [file, disk]));
    // What has been moved when it is interrupted stays moved.
    const writer: Writer = { ...this.#writer, signal: undefined };
    try {
      const copies = await lockForCommit(this.#context, writer, bucket, key);
      const newest = newestCopy(copies)?.document;
      if (newest === undefined || isTombstone(newest) || compareAge(newest, this.#meta) !== 0) {
        // Overwritten or deleted meanwhile: nobody needs it any more.
        await this.#removeIfIdle(after);
        return false;
      }
      const lost = [...moves.values()].find(
        (disk) => !writer.view.online.includes(disk) || !this.#context.members.takesChunks(disk),
      );
      if (lost !== undefined)
        throw new StoreError('DISK_IO', `disk "${lost.name}" has gone, or is being drained, meanwhile`, {
          disk: lost.name,
        });
      const place = <T extends ShardEntry>(shard: T): T => ({ ...shard, disk: disks.get(shard.file) ?? shard.disk });
      const { checksum, ...content } = this.#meta;
      const meta = makeObjectMeta({
        ...content,
        revision: await mintVersion(this.#context, writer, copies),
        chunks: this.#meta.chunks.map(place),
        parity: this.#meta.parity.map(place),
      });
      // Who has walked over the metas before has seen the chunks in their old places, and must know even if we die now.
      await session.mark();
      await publishMeta(this.#context, writer, copies, meta);
      this.#meta = meta;
    } catch (error) {
      if (!isStoreError(error) && !(error instanceof UncertainCommitError)) throw error;
      // Where some disk may show the new meta, the chunks stay in both places.
      if (isStoreError(error)) await this.#removeIfIdle(after);
      if (isStoreError(error) && !isDiskFault(error)) throw error;
      this.#mended.failed.push(`the chunks of ${bucket}/${key} could not be moved: ${error.message}`);
      return false;
    } finally {
      session.unlock(lockName.key(bucket, key));
      session.unlock(lockName.bucket(bucket));
      session.unlock(lockName.disks());
    }
    await this.#removeIfIdle(before);
    return true;
  }

  /** Removes files that the meta does not name. Whoever reads the version may be on the way to them: then they are left to `gc`. */
  async #removeIfIdle(shards: readonly { file: string; disk: string }[]): Promise<void> {
    const { session } = this.#writer;
    const name = lockName.version(directoryId(this.#meta));
    if (!session.tryLock(name, 'exclusive')) return;
    const disks = this.#writer.view.online.filter((disk) => shards.some((shard) => shard.disk === disk.name));
    await removeChunks(disks, this.#meta.directory, shards);
    await session.lock(name, 'shared');
  }
}

/** Names that are not durable count as not written. */
function condemn(stripe: MendedStripe, unsynced: ReadonlyMap<string, StoreError>): void {
  const isLost = (disk: string): StoreError | undefined => unsynced.get(disk);
  for (const shard of stripe.repaired) {
    const error = isLost(shard.disk);
    if (error !== undefined) stripe.faults.set(shard, error);
  }
  stripe.repaired = stripe.repaired.filter((shard) => isLost(shard.disk) === undefined);
  for (const [shard, disk] of stripe.moves) if (isLost(disk.name) !== undefined) stripe.moves.delete(shard);
  stripe.failed.push(...[...unsynced.values()].map(({ message }) => message));
}
