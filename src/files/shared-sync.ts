import { statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { close, fstat, fsync, open, READ_FOLDER } from './calls.ts';

/**
 * File systems (`statfs(2)`) whose syncfs(2) writes out all that has been done and waits until it is durable. Others may only hand
 * it on to a server, or report errors elsewhere.
 */
const TRUSTED: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
]);

/**
 * Since this version of Linux, syncfs(2) tells of all that went wrong: since 5.8 of files that could not be written back, since
 * this one also of the file system's own journal.
 */
const LINUX = [5, 17] as const;

/** Makes all durable that has been done in the file system of an open file. @throws the system's error */
export type Syncfs = (fd: number) => Promise<void>;

let loading: Promise<Syncfs | undefined> | undefined;

function systemSyncfs(): Promise<Syncfs | undefined> {
  return (loading ??= loadSyncfs());
}

/**
 * One sync for all that is done in a file system while this is open. syncfs(2) tells each descriptor once of any error in
 * writing back since it was opened, whoever has been told of it before, and whatever file it was about. So it is opened before
 * the first of the writes that it stands for; and where it fails, all that it stood for is in doubt.
 */
export class SharedSync {
  /** The number (`stat(2)`) of the file system: another one that is mounted below the folder is not synced. */
  readonly device: number;
  readonly #fd: number;
  readonly #syncfs: Syncfs;

  private constructor(fd: number, device: number, syncfs: Syncfs) {
    this.#fd = fd;
    this.device = device;
    this.#syncfs = syncfs;
  }

  /**
   * Undefined where it can't be relied on: then each file must be synced by itself.
   * @param folder in the file system
   * @param load gives the system call, where there is one that tells of all errors
   */
  static async open(
    folder: string,
    load: () => Promise<Syncfs | undefined> = systemSyncfs,
  ): Promise<SharedSync | undefined> {
    const syncfs = await load();
    if (syncfs === undefined || !TRUSTED.has((await statfs(folder)).type)) return undefined;
    const fd = await open(folder, READ_FOLDER);
    try {
      return new SharedSync(fd, (await fstat(fd)).dev, syncfs);
    } catch (error) {
      await close(fd);
      throw error;
    }
  }

  /** Makes all that has been done since it was opened durable. It is never tried again. */
  async sync(): Promise<void> {
    await this.#syncfs(this.#fd);
    // ext4 that has gone read-only for an error has nothing to sync, and so no error there; here it says so.
    await fsync(this.#fd);
  }

  async close(): Promise<void> {
    await close(this.#fd);
  }
}

/** One sync for all that is done in a file system while it is open. */
export type OneSync = Pick<SharedSync, 'device' | 'sync' | 'close'>;

/** Opens one for a folder's file system; undefined where each file must be synced by itself. */
export type OpenSync = (folder: string) => Promise<OneSync | undefined>;

/** syncfs(2), which Node lacks, in one of Node's threads; undefined where the system has none, or one that hides errors. */
async function loadSyncfs(): Promise<Syncfs | undefined> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const isNew = major > LINUX[0] || (major === LINUX[0] && minor >= LINUX[1]);
  // The package does not bear being loaded by several threads.
  if (process.platform !== 'linux' || !isNew || !isMainThread) return undefined;
  try {
    const ffi = await import('ffi-rs');
    ffi.open({ library: '', path: '' });
    return async (fd) => {
      const { value, errnoCode } = await ffi.load<typeof ffi.DataType.I32, true, true>({
        library: '',
        funcName: 'syncfs',
        retType: ffi.DataType.I32,
        paramsType: [ffi.DataType.I32],
        paramsValue: [fd],
        errno: true,
        runInNewThread: true,
      });
      if (value === 0) return;
      const code = errnoCode > 0 ? getSystemErrorName(-errnoCode) : 'EIO';
      throw Object.assign(new Error(`${code}: syncfs failed`), { code });
    };
  } catch {
    // There is no such package for this system.
    return undefined;
  }
}
