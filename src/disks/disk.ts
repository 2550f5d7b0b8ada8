import type { StoreError } from '../errors.ts';

/**
 * The contract of a disk: one storage unit that holds named, whole files.
 *
 * Paths are relative to the disk, `/`-separated, and already safe as file names. What a caller may rely on:
 *
 * - **Missing.** Only a file that is not there, while the disk and the disk's own folder for it are, reads as `undefined`,
 *   stats as `undefined` and is removed without an error. Every other failure rejects with a `StoreError` (`DISK_FULL`,
 *   `DISK_READ_ONLY`, `DISK_IO`) that names the disk and keeps the cause; or with `OUT_OF_RESOURCES`, where it is this
 *   process that lacks something. The `fault` says whether the disk has lost the folder for the file (`missing`), something
 *   stands in the way to it (`blocked`), or the way is forbidden (`closed`).
 * - **Files and folders only.** Anything else in their place (a FIFO, a device, a link) is a failure at once: it is never
 *   waited for, read without end, or followed, neither as the file nor as a folder above it.
 * - **Whole.** `stage(…).publish()` replaces a file atomically: a reader sees the old bytes or the new ones, after a
 *   crash too. `create` does not: a crash can leave a part of the file, so nothing may refer to it before it resolved.
 *   A `create` or `stage` that rejects has removed what it wrote.
 * - **Durable.** With `durable`, the bytes are on stable storage once `create` or `stage` resolves, and the name of a
 *   published or removed file once `publish` or `remove` resolves. The names that `create` and `makeFolder` make are
 *   durable only after `syncFolder` of the folder that holds them. A sync that failed is never tried again: the file
 *   is discarded instead, because the system may have dropped the bytes and report success the second time.
 * - **Folders.** Where names are all there is (an S3 engine), folders need not be made, synced or removed, and those calls do
 *   nothing; nothing stands in the way of anything either.
 * - **Many.** A call for many small files does to each what the call for one does, in any order, and shares what can be
 *   shared: threads, syncs. It never rejects: what is wrong with one file is its own failure, OUT_OF_RESOURCES too, and says
 *   nothing of the others. A call takes as many files as its caller can wait for.
 * - **Concurrent.** All calls may overlap, from this process and others; two overlapping calls about one path need a lock.
 */
export interface Disk {
  readonly name: string;
  /** Whether it has lately kept a reader of chunks waiting: what is on it is better computed from what is on others. */
  readonly isSlow: boolean;

  /**
   * Looks at the disk's own mark (`disk.json`) and tells whether this is the disk that the store means. Rejects only with
   * OUT_OF_RESOURCES, which says nothing about the disk.
   */
  state(): Promise<DiskState>;

  /**
   * The whole file, or undefined where there is none. A file of more than `limit` bytes that does not fit into the buffer
   * is not read: that rejects with DISK_IO and the fault `too-long`, so that damage cannot fill the memory.
   */
  read(path: string, options?: ReadOptions): Promise<Buffer | undefined>;

  /**
   * Size in bytes and a stamp that is another one whenever the file has been replaced; undefined where there is none.
   * Something else that stands there is looked at itself, where it is a link.
   */
  stat(path: string): Promise<FileStat | undefined>;

  /** Writes a new file into a folder that is there. Rejects if the file exists. */
  create(path: string, bytes: Uint8Array, options: WriteOptions): Promise<void>;

  /**
   * Writes `bytes` to the disk's folder for staged files, under the name `id`, ready to be published. Folders between
   * `within` (which must be there) and the file are made. The caller ends it with `publish` or `discard`.
   */
  stage(path: string, bytes: Uint8Array, options: StageOptions): Promise<StagedFile>;

  /**
   * Removes a file, or what stands in its place, and then the empty folders above it, up to but not including `within`. A
   * folder in its place is set aside as by `setAside`, so a caller that may meet one holds the lock of what the file is for.
   * With `durable`, that it is gone is durable afterwards, whoever removed it. A disk that has gone looks empty: a caller
   * that relies on the removal looks at the disk's state afterwards.
   */
  remove(path: string, options: RemoveOptions): Promise<void>;

  /** Gives a file another name in its folder, over what is there. A missing file is an error here. */
  rename(path: string, to: string, options: WriteOptions): Promise<void>;

  /** Makes one folder, in a folder that is there; fine if it exists. */
  makeFolder(path: string): Promise<void>;

  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;

  /** Makes all that the disk shows durable, whoever did it. It may take long: others' writes to the same file system are waited for. */
  flush(): Promise<void>;

  /** Removes a folder if it is empty or missing, and tells whether it is gone. */
  removeFolder(path: string): Promise<boolean>;

  /** How much it holds, and can still take; undefined where that has no bounds. */
  room(): Promise<DiskRoom | undefined>;

  /** What is directly in a folder, in no order. A missing folder is an empty one. */
  list(path: string): Promise<DiskEntry[]>;

  /**
   * Takes the first obstacle off the way to a file, or to a folder where `path` ends in `/`. What is no folder where one
   * should be, or in the end no file, gets another name beside it (`.<name>.corrupt`, which no key, bucket or chunk has);
   * what its owner may not even read is opened. Resolves to the path that it has now, or to undefined where nothing is in
   * the way. Nobody else may do the same at the same time.
   */
  setAside(path: string): Promise<string | undefined>;

  /** The files as `read` gives them, each in memory of its own, in the order of the paths. */
  readMany(paths: readonly string[]): Promise<ReadOutcome[]>;

  /** What `stat` says of the files, in the order of the paths. */
  statMany(paths: readonly string[]): Promise<StatOutcome[]>;

  /**
   * Creates files as `create` does. Folders that are missing between `within`, which must be there, and a file are made, and
   * stay. With `durable`, all these names are durable too when it resolves.
   */
  createMany(files: readonly NewFile[], options: CreateManyOptions): Promise<Failures>;

  /** Stages documents as `stage` does. */
  stageMany(documents: readonly NewDocument[], options: WriteOptions): Promise<StagedFiles>;

  /** Removes files as `remove` does. */
  removeMany(files: readonly OldFile[], options: RemoveManyOptions): Promise<Failures>;
}

/** What became of one of many files: what it was asked for, or why not. */
export type ReadOutcome = { bytes: Buffer | undefined } | { error: StoreError };
export type StatOutcome = { stat: FileStat | undefined } | { error: StoreError };

/** What could not be done, by its index among the many that were asked for. */
export type Failures = ReadonlyMap<number, StoreError>;

export interface NewFile {
  path: string;
  bytes: Uint8Array;
}

export interface NewDocument extends NewFile {
  /** Identifies the operation at work; no two documents of a call have the same. */
  id: string;
  within: string;
}

export interface OldFile {
  path: string;
  within: string;
}

export interface CreateManyOptions extends WriteOptions {
  within: string;
}

export type RemoveManyOptions = Omit<RemoveOptions, 'within'>;

/** Documents that have been staged together; those that could not be are among the failures, and nothing is left of them. */
export interface StagedFiles {
  failures: Failures;
  /** Publishes documents, given by their indices. */
  publish(which: readonly number[]): Promise<Failures>;
  /** Discards documents, given by their indices. */
  discard(which: readonly number[]): Promise<Failures>;
}

export interface ReadOptions {
  /**
   * Used for the bytes if they fit and leave at least one byte free. A function gives it when the read begins, so that who
   * waits for a turn at the disk has none yet; what it throws is what the read rejects with, which then asks nothing of the disk.
   */
  buffer?: Buffer | (() => Buffer) | undefined;
  /** Bytes; if not given, `MAX_DOCUMENT_BYTES`. */
  limit?: number | undefined;
  /** Asks for the bytes that are on the disk itself, and not in a cache, as far as the disk can tell them apart. */
  direct?: boolean | undefined;
  /** Called once where the bytes are slow to come, or their turn is: from then on the reader had better look elsewhere too. */
  onLate?: (() => void) | undefined;
}

/** The buffer for a read that begins. */
export function bufferFor({ buffer }: ReadOptions): Buffer | undefined {
  return typeof buffer === 'function' ? buffer() : buffer;
}

/** No document is larger. */
export const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;

export interface WriteOptions {
  durable: boolean;
}

export interface StageOptions extends WriteOptions {
  /** Identifies the operation at work; what lies staged under an id that nobody has locked is dead. */
  id: string;
  within: string;
}

export interface RemoveOptions extends WriteOptions {
  within: string;
  /** Removes a folder in the file's place too, with all that is in it. */
  evenFolder?: boolean | undefined;
}

export interface StagedFile {
  /** Puts the file under its path, atomically and, if staged so, durably. */
  publish(): Promise<void>;
  /** Removes what was staged and the empty folders that were made for it. */
  discard(): Promise<void>;
}

export interface FileStat {
  size: number;
  stamp: string;
  /** False where something else stands in the place of a file. */
  isFile: boolean;
}

/** Bytes of a disk's file system; of several disks on one file system each tells the same. */
export interface DiskRoom {
  total: number;
  /** 0 where no more files can be made. */
  free: number;
}

export interface DiskEntry {
  name: string;
  isFolder: boolean;
}

/**
 * - `online`: the mark is the one that the store knows.
 * - `missing`: there is no such folder; `empty`: nothing is in it; `unmarked`: something is, but no mark.
 * - `swapped`: the mark of another disk of this store; `former`: that of the disk that this one has replaced; `foreign`:
 *   the mark of a disk of another store.
 * - `unreadable`: the mark cannot be read or understood.
 * - `hanging`: the disk does not answer.
 */
export type DiskStatus =
  'online' | 'missing' | 'empty' | 'unmarked' | 'swapped' | 'former' | 'foreign' | 'unreadable' | 'hanging';

export interface DiskState {
  status: DiskStatus;
  /** One sentence for people, without the disk's name. */
  reason: string;
}

/** Folder for staged files on every disk. */
export const STAGING_FOLDER = 'tmp';
