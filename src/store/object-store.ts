import * as path from 'node:path';
import type { PutSource } from '../chunks/source.ts';
import type { DiskState } from '../disks/disk.ts';
import { isStoreError, must, StoreError } from '../errors.ts';
import type { ObjectMeta } from '../metadata/meta.ts';
import { checkBucketName, checkKey } from '../metadata/names.ts';
import { checkRedundancy } from '../metadata/redundancy.ts';
import { Attendance, type WaitOptions } from './members/attendance.ts';
import { rebalance } from './fleet/balance.ts';
import {
  createBucket,
  deleteBucket,
  ensureBucket,
  listBuckets,
  type BucketOptions,
  type CreateBucketOptions,
  type ListedBucket,
} from './objects/buckets.ts';
import { StoreContext } from './protocol/context.ts';
import type { DeleteOptions } from './objects/delete.ts';
import { deleteMany, Deletes, type DeleteItem, type DeleteOutcome } from './objects/deletes.ts';
import { addDisk } from './fleet/add.ts';
import { setDraining } from './fleet/drain.ts';
import type { DiskOptions } from './fleet/entries.ts';
import { removeDisk } from './fleet/remove.ts';
import { replaceDisk, type ReplaceOptions } from './fleet/replace.ts';
import { readObjectMeta } from './protocol/read-documents.ts';
import { flushDisks } from './protocol/flush.ts';
import { gc, type GcOptions, type GcReport } from './health/gc.ts';
import { get, type GetResult } from './objects/get.ts';
import { getManyToFiles, type GetItem, type GetOutcome } from './objects/get-many.ts';
import { getToFile } from './objects/get-to-file.ts';
import { heal, type HealOptions, type HealReport } from './health/heal.ts';
import type { HealthReport } from './health/diagnosis.ts';
import { initStore, refuseHeadless, type InitOptions } from './members/init.ts';
import { list, type Listed, type ListedObject, type ListOptions } from './objects/list.ts';
import { Membership } from './members/membership.ts';
import { moveAll, type MoveOptions, type MoveReport } from './fleet/move.ts';
import type { GetOptions } from './objects/open-object.ts';
import type { PutOptions, PutResult } from './objects/put.ts';
import { putMany, type PutItem, type PutOutcome } from './objects/put-many.ts';
import { Puts } from './objects/puts.ts';
import { Relocation } from './health/relocation.ts';
import type { StoreDocument } from './members/store-document.ts';
import { usage, type DiskUsage, type UsageOptions } from './fleet/usage.ts';
import { verify, type VerifyOptions } from './health/verify.ts';

const DEFAULT_CONCURRENCY = 8;

export interface OpenOptions extends WaitOptions {
  /** Make the store if there is none. */
  create?: boolean;
  /**
   * Chunks in flight, of 1 MiB: so many for one operation, with parity about twice as many; 8 if not given. All operations
   * of the store together have at most four times as many in memory, and streams as many again that they have read
   * ahead; a stripe that is larger than that has all. On top comes one stripe for each stream that is being read and each
   * upload. Operations that find too little memory left wait for it.
   */
  concurrency?: number;
  /** `k+m` of the objects to come: a store that has too few disks for it is not opened, and not made. */
  redundancy?: string | undefined;
}

/** A store of objects in buckets, kept in a folder. All operations may overlap, in this process and others. */
export class ObjectStore {
  /** Absolute path of the store's folder. */
  readonly root: string;
  readonly #context: StoreContext;
  readonly #puts: Puts;
  readonly #deletes: Deletes;

  private constructor(members: Membership, concurrency: number) {
    this.root = members.root;
    this.#context = new StoreContext(members, members.attendance.locks, concurrency);
    this.#puts = new Puts(this.#context);
    this.#deletes = new Deletes(this.#context);
  }

  /** The store's `store.json`, as it was when an operation last looked at it. */
  get document(): StoreDocument {
    return this.#context.members.document;
  }

  /**
   * Opens the store in the folder `root`.
   * @throws STORE_NOT_FOUND, BAD_ROOT, STORE_DAMAGED, UNKNOWN_FORMAT, BAD_REDUNDANCY; with `create`, what `init` throws
   * @example const store = await ObjectStore.open('storage_nodes', { create: true });
   */
  static async open(root: string, options: OpenOptions = {}): Promise<ObjectStore> {
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1)
      throw new TypeError('concurrency must be a whole number from 1');
    const folder = path.resolve(root);
    const attendance = new Attendance(folder, options);
    let members = await Membership.open(folder, attendance);
    if (members === undefined) await refuseHeadless(folder);
    if (members === undefined && options.create === true) {
      // Somebody else may make it at this moment.
      await initStore(folder, { waiting: options, fit: options.redundancy }).catch((error: unknown) => {
        if (!isStoreError(error, 'STORE_EXISTS')) throw error;
      });
      members = await Membership.open(folder, attendance);
    }
    if (members === undefined)
      throw new StoreError('STORE_NOT_FOUND', `there is no store in "${folder}"`, { path: folder });
    if (options.redundancy !== undefined) checkRedundancy(options.redundancy, members.belong.length);
    return new ObjectStore(members, concurrency);
  }

  /**
   * Makes a store in the folder `root`.
   * @throws STORE_EXISTS, BAD_ROOT, BAD_DISK_NAME, BAD_REDUNDANCY, STORE_NOT_WRITABLE, DISK_FULL
   * @example const store = await ObjectStore.init('safe', { disks: 6, redundancy: '4+2' });
   */
  static async init(root: string, options: InitOptions = {}): Promise<ObjectStore> {
    await initStore(path.resolve(root), options);
    return ObjectStore.open(root, options.waiting);
  }

  /**
   * Stores an object: all of it, in one step, or nothing.
   * @throws NO_SUCH_BUCKET, BAD_KEY, BAD_SOURCE, SOURCE_CHANGED, KEY_COLLISION, TOO_FEW_DISKS_TO_WRITE, DISK_FULL, …
   * @example
   * await store.put('my-bucket', 'photo.jpg', '/tmp/photo.jpg');
   * await store.put('my-bucket', 'hello.txt', Buffer.from('hello'), { contentType: 'text/plain', redundancy: '1+1' });
   */
  put(bucket: string, key: string, source: PutSource, options: PutOptions = {}): Promise<PutResult> {
    return this.#puts.put({ bucket, key }, source, options);
  }

  /**
   * Stores many objects, and tells of each as soon as it is stored or has failed. What small ones cost is shared; every one
   * is stored in one step or not at all, as by `put`. Of several items for one key, the last one stays.
   * @example
   * const items = ['a.txt', 'b.txt'].map((key) => ({ bucket: 'my-bucket', key, source: `/tmp/${key}` }));
   * for await (const outcome of store.putMany(items))
   *   if ('error' in outcome) console.error(outcome.item.key, outcome.error.message);
   */
  putMany<Item extends PutItem>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<PutOutcome<Item>> {
    return putMany(this.#puts, items);
  }

  /**
   * Opens an object, or a range of its bytes, as a stream. The stream gives one version, whatever happens to the object
   * meanwhile; it must be read to its end or destroyed.
   * @throws NO_SUCH_KEY, NO_SUCH_BUCKET, BAD_RANGE, CHUNK_UNAVAILABLE, TOO_FEW_DISKS_TO_READ, META_DAMAGED; the body
   *   fails with CHUNK_DAMAGED or CHUNK_UNAVAILABLE
   * @example
   * const { meta, body } = await store.get('my-bucket', 'hello.txt', { range: { from: 0, to: 3 } });
   * for await (const bytes of body) console.log(meta.contentType, String(bytes));
   */
  get(bucket: string, key: string, options: GetOptions = {}): Promise<GetResult> {
    return get(this.#context, bucket, key, options);
  }

  /**
   * Reads an object, or a range of it, into a file that appears when it is whole.
   * @throws what `get` throws, TARGET_IO
   * @example const { size } = await store.getToFile('my-bucket', 'photo.jpg', 'copies/photo.jpg');
   */
  getToFile(bucket: string, key: string, file: string, options: GetOptions = {}): Promise<ObjectMeta> {
    return getToFile(this.#context, bucket, key, file, options);
  }

  /**
   * Reads many objects into files, and tells of each as soon as its file is there or it has failed. What small ones cost is shared;
   * every file appears when it is whole, as by `getToFile`. Of several items for one file, the last one stays.
   * @example
   * const keys = ['photo.jpg', 'hello.txt'].map((key) => ({ bucket: 'my-bucket', key, file: `copies/${key}` }));
   * for await (const outcome of store.getManyToFiles(keys))
   *   if ('error' in outcome) console.error(outcome.item.key, outcome.error.message);
   */
  getManyToFiles<Item extends GetItem>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<GetOutcome<Item>> {
    return getManyToFiles(this.#context, items);
  }

  /** The meta of an object's newest version. @throws NO_SUCH_KEY, NO_SUCH_BUCKET, META_DAMAGED, TOO_FEW_DISKS_TO_READ */
  async head(bucket: string, key: string, options: Pick<GetOptions, 'allowStale'> = {}): Promise<ObjectMeta> {
    checkBucketName(bucket);
    checkKey(key);
    const allowStale = options.allowStale ?? false;
    const view = await this.#context.lookForReading(allowStale);
    return readObjectMeta(this.#context, view, { bucket, key }, allowStale);
  }

  /**
   * The objects of a bucket in the UTF-8 byte order of their keys.
   * @throws NO_SUCH_BUCKET, META_DAMAGED
   * @example for await (const { key, size } of store.list('my-bucket', { prefix: 'hel' })) console.log(key, size);
   */
  list(bucket: string, options: ListOptions & { folders: true }): AsyncIterableIterator<Listed>;
  list(bucket: string, options?: ListOptions & { folders?: false }): AsyncIterableIterator<ListedObject>;
  list(bucket: string, options: ListOptions = {}): AsyncIterableIterator<Listed> {
    return list(this.#context, bucket, options);
  }

  /**
   * Deletes an object.
   * @throws NO_SUCH_KEY, NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_WRITE, …
   * @example await store.delete('my-bucket', 'hello.txt');
   */
  delete(bucket: string, key: string, options: DeleteOptions = {}): Promise<void> {
    return this.#deletes.delete({ bucket, key }, options);
  }

  /**
   * Deletes many objects, and tells of each as soon as it is gone or has failed. What it costs is shared; each is deleted as by `delete`.
   * @example
   * const gone = ['a.txt', 'b.txt'].map((key) => ({ bucket: 'my-bucket', key }));
   * for await (const outcome of store.deleteMany(gone))
   *   if ('error' in outcome) console.error(outcome.item.key, outcome.error.message);
   */
  deleteMany<Item extends DeleteItem>(
    items: Iterable<Item> | AsyncIterable<Item>,
  ): AsyncGenerator<DeleteOutcome<Item>> {
    return deleteMany(this.#deletes, items);
  }

  /**
   * @throws BUCKET_EXISTS, BAD_BUCKET_NAME, BAD_REDUNDANCY
   * @example await store.createBucket('archive', { redundancy: '2+1' });
   */
  createBucket(bucket: string, options: CreateBucketOptions = {}): Promise<void> {
    return createBucket(this.#context, bucket, options);
  }

  /** Makes the bucket if it is not there. */
  ensureBucket(bucket: string, options: BucketOptions = {}): Promise<void> {
    return ensureBucket(this.#context, bucket, options);
  }

  /** Deletes an empty bucket. @throws NO_SUCH_BUCKET, BUCKET_NOT_EMPTY */
  deleteBucket(bucket: string, options: BucketOptions = {}): Promise<void> {
    return deleteBucket(this.#context, bucket, options);
  }

  /** The buckets, in the order of their names. */
  listBuckets(options: Pick<GetOptions, 'allowStale'> = {}): Promise<ListedBucket[]> {
    return listBuckets(this.#context, options.allowStale ?? false);
  }

  /** The disks in the store's order, how each is, and what is on it; reads all metas of the scope. @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_READ */
  usage(options: UsageOptions = {}): Promise<DiskUsage[]> {
    return usage(this.#context, options);
  }

  /**
   * Reads everything, or with `quick` looks for it, and tells what is not as it should be.
   * @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_READ
   * @example const { degraded, lost } = await store.verify({ onObject: ({ key, state }) => console.log(key, state) });
   */
  verify(options: VerifyOptions = {}): Promise<HealthReport> {
    return verify(this.#context, options);
  }

  /**
   * Brings everything back to where it should be, whole, and tells what is left to say.
   * @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_WRITE, …
   * @example const { rebuilt, failed } = await store.heal({ rate: 50 * 1024 * 1024 });
   */
  heal(options: HealOptions = {}): Promise<HealReport> {
    return heal(this.#context, options);
  }

  /**
   * Adds the empty or missing folder `folder` as a disk.
   * @throws DISK_EXISTS, BAD_DISK_NAME, BAD_ROOT, …
   * @example await store.addDisk('disk4', '/mnt/new');
   */
  addDisk(name: string, folder: string, options: DiskOptions = {}): Promise<void> {
    return addDisk(this.#context, name, folder, options);
  }

  /**
   * Accepts an empty or missing folder, at the disk's place or a new one, as the disk of that name. Resolves to whether
   * there is something to heal: not where the folder is the disk itself, moved by hand. @throws NO_SUCH_DISK, DISK_EXISTS, BAD_ROOT
   * @example if (await store.replaceDisk('disk2', '/mnt/other')) await store.heal();
   */
  replaceDisk(name: string, folder?: string, options: ReplaceOptions = {}): Promise<boolean> {
    return replaceDisk(this.#context, name, folder, options);
  }

  /**
   * Moves everything off a disk and puts nothing more on it; a disk that is lost is made up for from the others.
   * @throws NO_SUCH_DISK, DISK_NEEDED
   * @example
   * const { failed } = await store.drainDisk('disk1');
   * if (failed.length === 0) await store.removeDisk('disk1');
   */
  async drainDisk(name: string, options: MoveOptions = {}): Promise<MoveReport> {
    await setDraining(this.#context, name, false, options);
    return moveAll(this.#context, options, (view) => Relocation.of(this.#context, view));
  }

  /** Lets a disk that was being drained take chunks again. @throws NO_SUCH_DISK */
  cancelDrain(name: string, options: DiskOptions = {}): Promise<void> {
    return setDraining(this.#context, name, true, options);
  }

  /** Takes a drained disk out of the store. Its folder stays. @throws NO_SUCH_DISK, DISK_NEEDED */
  removeDisk(name: string, options: DiskOptions = {}): Promise<void> {
    return removeDisk(this.#context, name, options);
  }

  /** Moves chunks from disks that hold more than their share to those that hold less. */
  rebalance(options: MoveOptions = {}): Promise<MoveReport> {
    return rebalance(this.#context, options);
  }

  /** The disks in the store's order, and whether each is there. */
  async disks(): Promise<{ disk: string; state: DiskState }[]> {
    await this.#context.members.refresh();
    const { disks } = this.#context;
    const states = await disks.states();
    return states.map((state, index) => ({ disk: must(disks.disks[index], 'disk').name, state }));
  }

  /** Makes what the store shows durable, also what operations that died have left unsynced. @throws TOO_FEW_DISKS_TO_WRITE, DISK_IO */
  async flush(): Promise<void> {
    const { online } = await this.#context.lookForWriting();
    const [failure] = await flushDisks(this.#context, online);
    if (failure !== undefined) throw new StoreError('DISK_IO', failure);
  }

  /**
   * Reclaims what operations that died have left behind; never what one that is at work uses.
   * @example const { leftoverBytes, kept } = await store.gc({ dryRun: true });
   */
  gc(options: GcOptions = {}): Promise<GcReport> {
    return gc(this.#context, options);
  }
}
