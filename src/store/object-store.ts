import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { BufferPool } from '../chunks/buffer-pool.ts';
import type { PutSource } from '../chunks/source.ts';
import { DiskSet } from '../disks/disk-set.ts';
import type { DiskState } from '../disks/disk.ts';
import { LocalDisk } from '../disks/local-disk.ts';
import { errnoOf, isStoreError, reasonOf, StoreError } from '../errors.ts';
import { KernelLocks } from '../locks/kernel-locks.ts';
import type { ObjectMeta } from '../metadata/meta.ts';
import { checkBucketName, checkKey } from '../metadata/names.ts';
import { BucketCache } from './bucket-cache.ts';
import { createBucket, deleteBucket, ensureBucket, listBuckets, type BucketOptions, type ListedBucket } from './buckets.ts';
import type { StoreContext } from './context.ts';
import { deleteObject, type DeleteOptions } from './delete.ts';
import { readObjectMeta } from './documents.ts';
import { gc, type GcOptions, type GcReport } from './gc.ts';
import { get, type GetOptions, type GetResult } from './get.ts';
import { getToFile } from './get-to-file.ts';
import { initStore, LOCK_FILE, type InitOptions } from './init.ts';
import { list, type Listed, type ListedObject, type ListOptions } from './list.ts';
import { put, type PutOptions, type PutResult } from './put.ts';
import { parseStoreDocument, STORE_FILE, type StoreDocument } from './store-document.ts';

const DEFAULT_CONCURRENCY = 8;

export interface OpenOptions {
  /** Make the store if there is none. */
  create?: boolean;
  /** Chunks in flight at most, for one operation; 8 if not given. Memory grows with it, by 1 MiB each. */
  concurrency?: number;
}

/** A store of objects in buckets, kept in a folder. All operations may overlap, in this process and others. */
export class ObjectStore {
  /** Absolute path of the store's folder. */
  readonly root: string;
  /** The store's `store.json`. */
  readonly document: StoreDocument;
  readonly #context: StoreContext;

  private constructor(root: string, document: StoreDocument, concurrency: number) {
    this.root = root;
    this.document = document;
    this.#context = {
      disks: new DiskSet(
        document.disks.map(
          ({ name, id, path: where }) => new LocalDisk(path.resolve(root, where), { storeId: document.id, name, id }),
        ),
      ),
      locks: new KernelLocks(path.join(root, LOCK_FILE)),
      durability: document.durability,
      concurrency,
      pool: new BufferPool(),
      buckets: new BucketCache(),
    };
  }

  /**
   * Opens the store in the folder `root`.
   * @throws STORE_NOT_FOUND, BAD_ROOT, STORE_DAMAGED, UNKNOWN_FORMAT; with `create`, what `init` throws
   */
  static async open(root: string, options: OpenOptions = {}): Promise<ObjectStore> {
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) throw new TypeError('concurrency must be a whole number from 1');
    const folder = path.resolve(root);
    let document = await readStoreDocument(folder);
    if (document === undefined && options.create === true) document = await createOnce(folder);
    if (document === undefined) throw new StoreError('STORE_NOT_FOUND', `there is no store in "${folder}"`, { path: folder });
    return new ObjectStore(folder, document, concurrency);
  }

  /** Makes a store in the folder `root`. @throws STORE_EXISTS, BAD_ROOT, BAD_DISK_NAME, STORE_NOT_WRITABLE, DISK_FULL */
  static async init(root: string, options: InitOptions = {}): Promise<ObjectStore> {
    const folder = path.resolve(root);
    return new ObjectStore(folder, await initStore(folder, options), DEFAULT_CONCURRENCY);
  }

  /**
   * Stores an object: all of it, in one step, or nothing.
   * @throws NO_SUCH_BUCKET, BAD_KEY, BAD_SOURCE, SOURCE_CHANGED, KEY_COLLISION, TOO_FEW_DISKS_TO_WRITE, DISK_FULL, …
   */
  put(bucket: string, key: string, source: PutSource, options: PutOptions = {}): Promise<PutResult> {
    return put(this.#context, bucket, key, source, options);
  }

  /**
   * Opens an object, or a range of its bytes, as a stream. The stream gives one version, whatever happens to the object
   * meanwhile; it must be read to its end or destroyed.
   * @throws NO_SUCH_KEY, NO_SUCH_BUCKET, BAD_RANGE, CHUNK_UNAVAILABLE, TOO_FEW_DISKS_TO_READ, META_DAMAGED; the body
   *   fails with CHUNK_DAMAGED or CHUNK_UNAVAILABLE
   */
  get(bucket: string, key: string, options: GetOptions = {}): Promise<GetResult> {
    return get(this.#context, bucket, key, options);
  }

  /** Reads an object, or a range of it, into a file that appears when it is whole. @throws what `get` throws, TARGET_IO */
  getToFile(bucket: string, key: string, file: string, options: GetOptions = {}): Promise<ObjectMeta> {
    return getToFile(this.#context, bucket, key, file, options);
  }

  /** The meta of an object's newest version. @throws NO_SUCH_KEY, NO_SUCH_BUCKET, META_DAMAGED, TOO_FEW_DISKS_TO_READ */
  async head(bucket: string, key: string, options: Pick<GetOptions, 'allowStale'> = {}): Promise<ObjectMeta> {
    checkBucketName(bucket);
    checkKey(key);
    const allowStale = options.allowStale ?? false;
    const view = await this.#context.disks.lookForReading(allowStale);
    return readObjectMeta(this.#context, view, bucket, key, allowStale);
  }

  /** The objects of a bucket in the UTF-8 byte order of their keys. @throws NO_SUCH_BUCKET, META_DAMAGED */
  list(bucket: string, options: ListOptions & { folders: true }): AsyncIterableIterator<Listed>;
  list(bucket: string, options?: ListOptions & { folders?: false }): AsyncIterableIterator<ListedObject>;
  list(bucket: string, options: ListOptions = {}): AsyncIterableIterator<Listed> {
    return list(this.#context, bucket, options);
  }

  /** Deletes an object. @throws NO_SUCH_KEY, NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_WRITE, … */
  delete(bucket: string, key: string, options: DeleteOptions = {}): Promise<void> {
    return deleteObject(this.#context, bucket, key, options);
  }

  /** @throws BUCKET_EXISTS, BAD_BUCKET_NAME */
  createBucket(bucket: string, options: BucketOptions = {}): Promise<void> {
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

  /** The disks in the store's order, and whether each is there. */
  disks(): Promise<{ disk: string; state: DiskState }[]> {
    return Promise.all(this.#context.disks.disks.map(async (disk) => ({ disk: disk.name, state: await disk.state() })));
  }

  /** Reclaims what operations that died have left behind; never what one that is at work uses. */
  gc(options: GcOptions = {}): Promise<GcReport> {
    return gc(this.#context, options);
  }
}

/** Makes the store, or finds the one that somebody else has made just now. */
async function createOnce(folder: string): Promise<StoreDocument | undefined> {
  try {
    return await initStore(folder);
  } catch (error) {
    if (isStoreError(error, 'STORE_EXISTS')) return readStoreDocument(folder);
    throw error;
  }
}

async function readStoreDocument(folder: string): Promise<StoreDocument | undefined> {
  const file = path.join(folder, STORE_FILE);
  try {
    return parseStoreDocument(await fs.readFile(file, 'utf8'), file);
  } catch (error) {
    if (isStoreError(error)) throw error;
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined;
    const details = { path: folder, ...(errno === undefined ? {} : { errno }) };
    if (errno === 'ENOTDIR') throw new StoreError('BAD_ROOT', `"${folder}" is not a folder`, details, error);
    throw new StoreError('STORE_DAMAGED', `cannot read ${file}: ${reasonOf(error)}`, details, error);
  }
}
