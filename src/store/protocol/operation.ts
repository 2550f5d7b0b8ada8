import type { Disk } from '../../disks/disk.ts';
import { describeOffline, type DiskView, type OfflineDisk } from '../../disks/disk-set.ts';
import { diskFault, StoreError, throwIfAborted } from '../../errors.ts';
import { lockName, type LockMode, type LockSession } from '../../locks/locks.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { bucketFolder, bucketKind, BUCKETS_FOLDER, metaKind } from '../../metadata/catalog.ts';
import { newestCopy, readCopies, readManyCopies, type Copy, type DocumentKind } from '../../metadata/copies.ts';
import { formatDocument, type VersionedDocument } from '../../metadata/document.ts';
import { uploadIds, type Meta } from '../../metadata/meta.ts';
import { publish, publishAll, PublishError } from '../../metadata/publish.ts';
import type { DiskFailure, Publication, Published, Publishing, PublishOptions } from '../../metadata/publish.ts';
import { retract } from '../../metadata/retract.ts';
import { mintId } from '../../metadata/version.ts';
import type { Durability } from '../members/store-document.ts';
import type { StoreContext } from './context.ts';
import { objectVersions, readBucket, refuseCollision, requireBucket } from './read-documents.ts';

export interface OperationOptions {
  /** Instead of the store's setting. */
  durability?: Durability | undefined;
  /** The disks to work with; those that are there, if not given. */
  view?: DiskView | undefined;
  signal?: AbortSignal | undefined;
}

type DocumentPath = Pick<PublishOptions, 'path' | 'within'>;

/** What disks say of a document, asked since its lock is held: nobody else changes it. */
export interface Locked<T> {
  kind: DocumentKind<T>;
  /** The operation's disks as they were when it had the lock. */
  view: DiskView;
  copies: readonly Copy<T>[];
}

export interface LockedKey extends Locked<Meta> {
  /** Disks that can't take metas, but have kept their chunks. */
  chunksOnly: readonly Disk[];
}

export interface LockedBucket extends Locked<BucketDocument> {
  /** What R disks vouch for; undefined where there is no such bucket. */
  document: BucketDocument | undefined;
}

/**
 * One operation that writes. Its id is locked as an upload from its beginning to its end, so that what it stages, and the
 * chunks that it writes under that id, are known to be in use. In between it locks what it is to change, and publishes or
 * retracts that. `view` is what it found at its beginning, and stays; what it locks comes with the disks as they are then.
 */
export class Operation {
  readonly context: StoreContext;
  readonly session: LockSession;
  readonly id: string;
  readonly view: DiskView;
  readonly durable: boolean;
  readonly signal: AbortSignal | undefined;

  private constructor(
    context: StoreContext,
    { session, id, view, durable, signal }: Pick<Operation, 'session' | 'id' | 'view' | 'durable' | 'signal'>,
  ) {
    this.context = context;
    this.session = session;
    this.id = id;
    this.view = view;
    this.durable = durable;
    this.signal = signal;
  }

  /** Begins an operation, and ends it with `work`: then all its locks are free. @throws STORE_NOT_WRITABLE, TOO_FEW_DISKS_TO_WRITE */
  static async run<T>(
    context: StoreContext,
    { durability, view, signal }: OperationOptions,
    work: (operation: Operation) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const session = await context.locks.open('write');
    try {
      const id = mintId();
      await session.lock(lockName.upload(id), 'shared');
      const found = view ?? (await context.lookForWriting());
      const durable = (durability ?? context.durability) === 'fsync';
      return await work(new Operation(context, { session, id, view: found, durable, signal }));
    } finally {
      await session.close();
    }
  }

  /** Locks a key for a commit, which its bucket outlives. @throws NO_SUCH_BUCKET, KEY_COLLISION, TOO_FEW_DISKS_TO_WRITE */
  async lockKey(bucket: string, key: string): Promise<LockedKey> {
    const there = await this.lock([lockName.bucket(bucket), 'shared'], [lockName.key(bucket, key), 'exclusive']);
    const { view, chunksOnly } = await this.#prepare(there, bucket);
    const kind = metaKind(bucket, key);
    const copies = await readCopies(view.online, kind);
    refuseCollision(bucket, key, copies);
    await this.keepVersions(copies);
    return { kind, view, copies, chunksOnly };
  }

  /**
   * Locks those keys of a bucket that nobody else has locked; each is given once. It waits for none of them, so operations
   * that lock many can't wait for one another in a circle. A key that collides with another's counts as locked by it.
   * @returns undefined where a key is not locked @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_WRITE
   */
  async tryLockKeys(bucket: string, keys: readonly string[]): Promise<(LockedKey | undefined)[]> {
    await this.lock([lockName.bucket(bucket), 'shared']);
    const isMine = keys.map((key) => this.session.tryLock(lockName.key(bucket, key), 'exclusive'));
    // Who had a key's lock before may have given up a change on a disk that hangs.
    const { view, chunksOnly } = await this.#prepare(await this.context.disks.narrow(this.view), bucket);
    const kinds = keys.map((key) => metaKind(bucket, key));
    const sought = kinds.filter((_, index) => isMine[index]).map((kind) => ({ kind, holders: view.online }));
    const found = await readManyCopies(view.online, sought);
    const copiesOf = new Map(sought.map(({ kind }, index) => [kind, found[index] ?? []]));
    const locked = kinds.map((kind) => {
      const copies = copiesOf.get(kind);
      if (copies === undefined || copies.some(({ state }) => state === 'other')) return undefined;
      return { kind, view, copies, chunksOnly };
    });
    await this.keepVersions(locked.flatMap((key) => key?.copies ?? []));
    return locked;
  }

  /** Locks a bucket alone: no commit in it, nobody else creates or deletes it. @throws TOO_FEW_DISKS_TO_WRITE */
  async lockBucket(bucket: string): Promise<LockedBucket> {
    const view = await this.lock([lockName.bucket(bucket), 'exclusive']);
    this.context.disks.requireVoters(view);
    return { kind: bucketKind(bucket), view, ...(await readBucket(this.context, view, bucket)) };
  }

  /**
   * Takes the locks of a commit, in this order; before them that of the store's disks, which stay the same from here on.
   * @returns the operation's disks, looked at once more: who has waited may find some gone or swapped, or owing a change of
   *   what is locked. @throws TOO_FEW_DISKS_TO_WRITE
   */
  async lock(...locks: readonly (readonly [name: string, mode: LockMode])[]): Promise<DiskView> {
    await this.context.members.hold(this.session, this.durable, this.signal);
    for (const [name, mode] of locks) await this.session.lock(name, mode, this.signal);
    return this.context.disks.narrow(this.view);
  }

  /** Should a commit be taken back, the versions of before it count again: gc must not take their chunks for dead meanwhile. */
  async keepVersions(copies: readonly Copy<Meta>[]): Promise<void> {
    for (const id of objectVersions(copies).flatMap(uploadIds))
      await this.session.lock(lockName.upload(id), 'shared', this.signal);
  }

  /**
   * Publishes a document on the disks of its copies: when this resolves, W of them have it.
   * @returns the disks that failed all the same @throws PublishError
   */
  publish<T extends VersionedDocument>({ kind, copies }: Locked<T>, document: T): Promise<DiskFailure[]> {
    return publish(copies, Buffer.from(formatDocument(document)), this.#publishing(kind));
  }

  /**
   * The same of many documents, and what becomes of one does not touch the others.
   * @param documents with ids that this operation has locked
   */
  publishAll<T extends VersionedDocument>(
    documents: readonly { locked: Locked<T>; document: T; id: string }[],
  ): Promise<Published[]> {
    const publications = documents.map(({ locked: { kind, copies }, document, id }) => {
      const { path, within } = kind;
      return { path, within, id, before: copies, bytes: Buffer.from(formatDocument(document)) };
    });
    return publishAll(publications, this.#how());
  }

  /**
   * Takes a document back from the disks of its copies.
   * @param makeTombstone called where that takes one
   * @param mayUnlink false where a disk has failed to remove it durably: that is not tried again, it takes a tombstone
   * @throws PublishError
   */
  retract<T extends VersionedDocument>(
    { kind, view, copies }: Locked<T>,
    makeTombstone: () => Promise<T>,
    mayUnlink = true,
  ): Promise<void> {
    const areAllOnline = async (): Promise<boolean> =>
      mayUnlink && view.offline.length === 0 && (await this.context.disks.areAllOnline());
    const bytes = async (): Promise<Buffer> => Buffer.from(formatDocument(await makeTombstone()));
    return retract(copies, bytes, { ...this.#publishing(kind), areAllOnline });
  }

  /**
   * Brings a document, as it is, to disks that lack it. One that can't take it does not keep it from the others.
   * @returns the disks that failed
   */
  async bring(kind: DocumentPath, behind: readonly Copy<unknown>[], bytes: Uint8Array): Promise<DiskFailure[]> {
    try {
      return await publish(behind, bytes, this.#publishing(kind, 1));
    } catch (error) {
      if (error instanceof PublishError) return [...error.failures];
      throw error;
    }
  }

  /** The same of many documents, and what becomes of one does not touch the others. */
  async bringAll(
    documents: readonly { kind: DocumentPath; behind: readonly Copy<unknown>[]; bytes: Uint8Array }[],
  ): Promise<Published[]> {
    const publications: Publication[] = [];
    for (const { kind, behind, bytes } of documents) {
      const id = mintId();
      await this.session.lock(lockName.upload(id), 'shared', this.signal);
      publications.push({ path: kind.path, within: kind.within, id, before: behind, bytes });
    }
    return publishAll(publications, this.#how(1));
  }

  /** Makes a bucket's folder, and tells which disks could not. */
  async makeBucketFolder(disks: readonly Disk[], bucket: string): Promise<DiskFailure[]> {
    const failures: DiskFailure[] = [];
    for (const disk of disks) {
      try {
        await disk.makeFolder(bucketFolder(bucket));
        if (this.durable) await disk.syncFolder(BUCKETS_FOLDER);
      } catch (error) {
        failures.push({ disk, error: diskFault(error) });
      }
    }
    return failures;
  }

  /** How a document is published. */
  #publishing({ path, within }: DocumentPath, quorum?: number): PublishOptions {
    return { path, within, id: this.id, ...this.#how(quorum) };
  }

  /** The one place that says so. */
  #how(quorum = this.context.disks.writeQuorum): Publishing {
    // gc may have met what is taken back, and not what counts again: the mark keeps it from removing that. A document that
    // refers to no chunks needs none, and leaves one all the same: nobody has to know which ones do.
    return { durable: this.durable, quorum, beforeUndo: () => this.session.mark() };
  }

  /** Sees to it that commits in a bucket can be made on the disks that are there. @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_WRITE */
  async #prepare(there: DiskView, bucket: string): Promise<Pick<LockedKey, 'view' | 'chunksOnly'>> {
    // Only now, with the locks, it is certain which disks the store has, and in which roles.
    const { buckets, disks } = this.context;
    await this.#bringBucket(there, bucket);
    const failed = this.durable ? await buckets.makeDurable(there, bucket) : [];
    const view = without(failed, there, disks.writeQuorum);
    disks.requireVoters(view);
    return { view, chunksOnly: there.online.filter((disk) => !view.online.includes(disk)) };
  }

  /** A disk that was away when the bucket was made learns of it now; if it can't, its metas will fail and be counted. @throws NO_SUCH_BUCKET */
  async #bringBucket(view: DiskView, bucket: string): Promise<void> {
    const { buckets } = this.context;
    if ((await buckets.unchanged(view, bucket)) !== undefined) return;
    const stamps = await buckets.stamps(view, bucket);
    const { document, copies } = await requireBucket(this.context, view, bucket);
    const behind = copies.filter((copy) => isBehind(copy, document.version));
    if (behind.length === 0) buckets.remember(document, stamps);
    const newest = newestCopy(copies);
    if (behind.length === 0 || newest === undefined) return;
    const disks = behind.map(({ disk }) => disk);
    await this.makeBucketFolder(disks, bucket);
    await this.bring(bucketKind(bucket), behind, newest.bytes);
  }
}

/** Whether a disk lacks a version, or has it damaged; what a later program has written is not to be touched. */
function isBehind(copy: Copy<BucketDocument>, version: string): boolean {
  if (copy.state === 'bad') return copy.error.code !== 'UNKNOWN_FORMAT';
  return copy.state !== 'valid' || copy.document.version !== version;
}

/** A view without the disks that have failed. @throws TOO_FEW_DISKS_TO_WRITE */
function without(failed: readonly OfflineDisk[], view: DiskView, needed: number): DiskView {
  const online = view.online.filter(({ name }) => !failed.some(({ disk }) => disk === name));
  if (online.length >= needed) return { online, offline: [...view.offline, ...failed] };
  const message = `a write needs ${needed} disks: ${describeOffline(failed)}`;
  throw new StoreError('TOO_FEW_DISKS_TO_WRITE', message, { expected: needed, found: online.length });
}
