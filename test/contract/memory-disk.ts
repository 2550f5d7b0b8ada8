import { diskError } from '../../src/disks/disk-error.ts';
import { OneByOne } from '../../src/disks/one-by-one.ts';
import {
  bufferFor,
  MAX_DOCUMENT_BYTES,
  STAGING_FOLDER,
  type Disk,
  type DiskEntry,
  type DiskState,
  type FileStat,
  type ReadOptions,
  type StagedFile,
  type StageOptions,
  type CreateManyOptions,
  type Failures,
  type NewDocument,
  type NewFile,
  type OldFile,
  type ReadOutcome,
  type RemoveManyOptions,
  type StagedFiles,
  type StatOutcome,
  type WriteOptions,
} from '../../src/disks/disk.ts';

/** The files of a disk, by their paths. */
export type StoredFiles = Map<string, { bytes: Buffer; stamp: string }>;

/** So many files have been written to all disks: each has a stamp of its own. */
let writes = 0;

/** A disk without folders, as a bucket on an S3 engine would be one: names and whole files, and nothing else. */
export class MemoryDisk implements Disk {
  readonly name: string;
  readonly isSlow = false;
  readonly #files: StoredFiles;
  readonly #many = new OneByOne(this);

  constructor(name: string, files: StoredFiles = new Map()) {
    this.name = name;
    this.#files = files;
  }

  protected get files(): StoredFiles {
    return this.#files;
  }

  state(): Promise<DiskState> {
    return Promise.resolve({ status: 'online', reason: 'online' });
  }

  async read(path: string, options: ReadOptions = {}): Promise<Buffer | undefined> {
    const { limit = MAX_DOCUMENT_BYTES } = options;
    const buffer = bufferFor(options);
    const bytes = this.files.get(path)?.bytes;
    if (bytes !== undefined && bytes.length > limit) {
      throw diskError(this.name, 'read', path, Object.assign(new Error('EFBIG: too long'), { code: 'EFBIG' }));
    }
    if (bytes === undefined || buffer === undefined || buffer.length < bytes.length) {
      // In memory of its own, as `Buffer.from` would not.
      return bytes === undefined ? undefined : Buffer.from(new Uint8Array(bytes).buffer);
    }
    bytes.copy(buffer);
    return Promise.resolve(buffer.subarray(0, bytes.length));
  }

  stat(path: string): Promise<FileStat | undefined> {
    const file = this.files.get(path);
    return Promise.resolve(
      file === undefined ? undefined : { size: file.bytes.length, stamp: file.stamp, isFile: true },
    );
  }

  create(path: string, bytes: Uint8Array): Promise<void> {
    if (this.files.has(path)) {
      const cause = Object.assign(new Error('EEXIST: it is there already'), { code: 'EEXIST' });
      return Promise.reject(diskError(this.name, 'write', path, cause));
    }
    this.#put(path, Buffer.from(bytes));
    return Promise.resolve();
  }

  stage(path: string, bytes: Uint8Array, { id }: StageOptions): Promise<StagedFile> {
    const staged = `${STAGING_FOLDER}/${id}`;
    this.#put(staged, Buffer.from(bytes));
    return Promise.resolve({
      publish: () => {
        const file = this.files.get(staged);
        if (file === undefined)
          return Promise.reject(diskError(this.name, 'publish', path, new Error('nothing is staged')));
        this.#put(path, file.bytes);
        this.files.delete(staged);
        return Promise.resolve();
      },
      discard: () => {
        this.files.delete(staged);
        return Promise.resolve();
      },
    });
  }

  remove(path: string): Promise<void> {
    this.files.delete(path);
    return Promise.resolve();
  }

  rename(path: string, to: string): Promise<void> {
    const file = this.files.get(path);
    if (file === undefined) {
      return Promise.reject(
        diskError(this.name, 'rename', path, Object.assign(new Error('ENOENT: it is not there'), { code: 'ENOENT' })),
      );
    }
    this.files.delete(path);
    this.#put(to, file.bytes);
    return Promise.resolve();
  }

  room(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  syncFolder(): Promise<void> {
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  removeFolder(path: string): Promise<boolean> {
    return Promise.resolve(![...this.files.keys()].some((name) => name.startsWith(`${path}/`)));
  }

  list(path: string): Promise<DiskEntry[]> {
    const entries = new Map<string, DiskEntry>();
    const within = path === '.' ? '' : `${path}/`;
    for (const file of this.files.keys()) {
      if (!file.startsWith(within)) continue;
      const [name = '', ...rest] = file.slice(within.length).split('/');
      entries.set(name, { name, isFolder: rest.length > 0 });
    }
    return Promise.resolve([...entries.values()]);
  }

  /** Names are all there is, so none stands in the way of another. */
  setAside(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  readMany(paths: readonly string[]): Promise<ReadOutcome[]> {
    return this.#many.readMany(paths);
  }

  statMany(paths: readonly string[]): Promise<StatOutcome[]> {
    return this.#many.statMany(paths);
  }

  createMany(files: readonly NewFile[], options: CreateManyOptions): Promise<Failures> {
    return this.#many.createMany(files, options);
  }

  stageMany(documents: readonly NewDocument[], options: WriteOptions): Promise<StagedFiles> {
    return this.#many.stageMany(documents, options);
  }

  removeMany(files: readonly OldFile[], options: RemoveManyOptions): Promise<Failures> {
    return this.#many.removeMany(files, options);
  }

  #put(path: string, bytes: Buffer): void {
    this.files.set(path, { bytes, stamp: String(++writes) });
  }
}
