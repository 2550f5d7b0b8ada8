import * as fs from 'node:fs/promises';
import { dirname } from 'node:path/posix';
import { errnoOf, reasonOf, StoreError } from '../errors.ts';
import { diskError } from './disk-error.ts';
import {
  MAX_DOCUMENT_BYTES,
  STAGING_FOLDER,
  type Disk,
  type DiskEntry,
  type DiskRoom,
  type DiskState,
  type FileStat,
  type ReadOptions,
  type RemoveOptions,
  type StagedFile,
  type StageOptions,
  type WriteOptions,
} from './disk.ts';
import { isAligned } from '../files/aligned.ts';
import * as files from '../files/calls.ts';
import { syncFileSystem } from '../files/file-system-sync.ts';
import { FolderSync, type Turns } from '../files/folder-sync.ts';
import { DISK_MARK, judgeDiskMark, type DiskIdentity } from './identity.ts';

/** Most small documents fit in one read of this many bytes, without asking for the size first. */
const FIRST_READ = 4096;

/** So many files must be left to make, so that metas and tombstones find room when chunks no longer do. */
const RESERVED_FILES = 64;

/** What a disk may hold that is nobody's: file systems make this one by themselves. */
export const IGNORED_NAMES: ReadonlySet<string> = new Set(['lost+found']);

/** How often a publish makes its folders anew when others keep removing them as empty. */
const PUBLISH_TRIES = 100;

/** A disk that is a folder of this machine's file system, a mount point, or a link to one. */
export class LocalDisk implements Disk {
  readonly name: string;
  readonly capabilities = { folders: true };
  readonly #root: string;
  readonly #identity: DiskIdentity;
  readonly #folderSync: FolderSync;
  #knownMark: string | undefined;

  /**
   * @param root Absolute path of the disk's folder.
   * @param turns at the disk, if its calls have to take turns
   */
  constructor(root: string, identity: DiskIdentity, turns?: Turns) {
    this.name = identity.name;
    this.#root = root;
    this.#identity = identity;
    this.#folderSync = new FolderSync(turns);
  }

  async state(): Promise<DiskState> {
    try {
      const stat = await this.stat(DISK_MARK);
      if (stat === undefined) {
        this.#knownMark = undefined;
        const folder = await files.except(files.stat(this.#root), 'ENOENT', 'ENOTDIR');
        if (folder?.isDirectory() !== true) return { status: 'missing', reason: 'there is no such folder' };
        const isEmpty = (await this.list('.')).every(({ name }) => IGNORED_NAMES.has(name));
        return { status: isEmpty ? 'empty' : 'unmarked', reason: `there is no ${DISK_MARK} in it${isEmpty ? '' : ', but other files are'}` };
      }
      // The mark is read once; while its stamp stays, this is still the same file on the same file system.
      if (stat.stamp === this.#knownMark) return { status: 'online', reason: 'online' };
      const text = await this.read(DISK_MARK);
      const state = judgeDiskMark(text?.toString('utf8') ?? '', this.#identity);
      this.#knownMark = state.status === 'online' ? stat.stamp : undefined;
      return state;
    } catch (error) {
      this.#knownMark = undefined;
      return { status: 'unreadable', reason: reasonOf(error instanceof StoreError ? error.cause : error) };
    }
  }

  async read(path: string, options: ReadOptions = {}): Promise<Buffer | undefined> {
    return (await this.#readDirectly(path, options)) ?? this.#readThroughCache(path, options);
  }

  /** The file, if it is as long as the limit says and direct I/O can read it; otherwise the other way has to tell. */
  #readDirectly(path: string, { buffer, limit, direct }: ReadOptions): Promise<Buffer | undefined> {
    if (direct !== true || buffer === undefined || !isAligned(buffer)) return Promise.resolve(undefined);
    return this.#attempt('read', path, async (full) => {
      const read = files.withFile(full, files.READ_DIRECT, (fd) => files.readOnce(fd, buffer, 0));
      const count = await files.except(read, 'ENOENT', 'EINVAL');
      return count !== undefined && count === limit && count < buffer.length ? buffer.subarray(0, count) : undefined;
    });
  }

  #readThroughCache(path: string, { buffer, limit }: ReadOptions): Promise<Buffer | undefined> {
    return this.#attempt('read', path, (full) =>
      files.except(
        files.withFile(full, 'r', async (fd) => {
          let bytes = buffer ?? Buffer.allocUnsafe(FIRST_READ);
          let filled = await files.readOnce(fd, bytes, 0);
          // Some network file systems give fewer bytes than asked for before the end of a file, so where the size is known
          // they are asked again. A document that is cut so is noticed by its checksum.
          if (limit !== undefined && filled < limit) filled += await files.readFully(fd, bytes.subarray(filled), filled);
          while (filled === bytes.length) {
            const size = Math.max((await files.fstat(fd)).size, filled);
            if (size > (limit ?? MAX_DOCUMENT_BYTES)) throw tooLong(size, limit ?? MAX_DOCUMENT_BYTES);
            const larger = Buffer.allocUnsafe(size + 1);
            bytes.copy(larger);
            filled += await files.readOnce(fd, larger.subarray(filled), filled);
            bytes = larger;
          }
          return bytes.subarray(0, filled);
        }),
        'ENOENT',
      ),
    );
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#attempt('look at', path, async (full) => {
      const stats = await files.except(files.stat(full), 'ENOENT');
      if (stats === undefined) return undefined;
      return { size: stats.size, stamp: [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(':') };
    });
  }

  create(path: string, bytes: Uint8Array, { durable }: WriteOptions): Promise<void> {
    return this.#attempt('write', path, (full) => files.writeNewFile(full, files.WRITE_FLAGS.exclusive, bytes, durable));
  }

  async stage(path: string, bytes: Uint8Array, { id, within, durable }: StageOptions): Promise<StagedFile> {
    const folders = foldersBetween(within, path);
    const staged = `${STAGING_FOLDER}/${id}`;
    const discard = async (): Promise<void> => {
      await this.#attempt('remove', staged, (full) => files.except(files.unlink(full), 'ENOENT'));
      await this.#removeEmpty(folders);
    };
    const publish = async (): Promise<void> => {
      for (let tries = 1; ; tries++) {
        try {
          await files.rename(this.#full(staged), this.#full(path));
          break;
        } catch (error) {
          // Another operation may just have removed our folders as empty.
          if (errnoOf(error) !== 'ENOENT' || folders.length === 0 || tries === PUBLISH_TRIES) {
            throw diskError(this.name, 'publish', path, error);
          }
          await this.#makeFolders(folders);
        }
      }
      // The file now holds its folders in place, so their names can be made durable from the inside out.
      if (durable) for (const folder of [...folders].reverse().concat(within)) await this.syncFolder(folder);
    };
    try {
      await this.#attempt('stage', path, () => files.writeNewFile(this.#full(staged), files.WRITE_FLAGS.replace, bytes, durable));
      await this.#makeFolders(folders);
    } catch (error) {
      await discard().catch(() => undefined);
      throw error;
    }
    return { publish, discard };
  }

  async remove(path: string, { within, durable }: RemoveOptions): Promise<void> {
    const folders = foldersBetween(within, path);
    await this.#attempt('remove', path, async (full) => {
      try {
        await files.except(files.unlink(full), 'ENOENT');
      } catch (error) {
        if (errnoOf(error) !== 'EISDIR') throw error;
        // Something else has put a folder where a file of ours should be.
        await fs.rm(full, { recursive: true, force: true });
      }
    });
    // Also where nothing was left to remove: who removed it may have died before that was durable.
    if (durable) await this.#syncNearest(path);
    await this.#removeEmpty(folders);
  }

  async rename(path: string, to: string, { durable }: WriteOptions): Promise<void> {
    await this.#attempt('rename', path, (full) => files.rename(full, this.#full(to)));
    if (durable) await this.syncFolder(dirname(to));
  }

  async makeFolder(path: string): Promise<void> {
    await this.#attempt('make folder', path, (full) => files.except(files.mkdir(full), 'EEXIST'));
  }

  syncFolder(path: string): Promise<void> {
    return this.#attempt('sync folder', path, (full) => this.#folderSync.sync(full));
  }

  flush(): Promise<void> {
    return this.#attempt('flush', '.', syncFileSystem);
  }

  removeFolder(path: string): Promise<boolean> {
    return this.#attempt('remove folder', path, async (full) => {
      const removed = files.rmdir(full).then(() => true);
      try {
        return (await files.except(removed, 'ENOENT')) ?? true;
      } catch (error) {
        if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') return false;
        throw error;
      }
    });
  }

  room(): Promise<DiskRoom | undefined> {
    return this.#attempt('look at', '', async (full) => {
      const { bsize, blocks, bavail, files: inodes, ffree } = await fs.statfs(full);
      // Some file systems have no fixed number of files, and say 0.
      const noFiles = inodes > 0 && ffree < RESERVED_FILES;
      return { total: blocks * bsize, free: noFiles ? 0 : bavail * bsize };
    });
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.#attempt('list', path, async (full) => {
      const entries = await files.except(fs.readdir(full, { withFileTypes: true }), 'ENOENT');
      return (entries ?? []).map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
    });
  }

  #full(path: string): string {
    return `${this.#root}/${path}`;
  }

  async #attempt<T>(action: string, path: string, work: (full: string) => Promise<T>): Promise<T> {
    try {
      return await work(this.#full(path));
    } catch (error) {
      throw diskError(this.name, action, path, error);
    }
  }

  async #makeFolders(folders: string[]): Promise<void> {
    for (let index = 0, tries = 1; index < folders.length; index++) {
      const folder = folders[index] ?? '';
      try {
        await files.except(files.mkdir(this.#full(folder)), 'EEXIST');
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || index === 0 || tries++ === PUBLISH_TRIES) {
          throw diskError(this.name, 'make folder', folder, error);
        }
        index = -1;
      }
    }
  }

  /** Syncs the innermost folder of a path that is there: another operation may have removed the inner ones as empty. */
  async #syncNearest(path: string): Promise<void> {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      const isThere = await this.#attempt('sync folder', folder, (full) => files.except(this.#folderSync.sync(full).then(() => true), 'ENOENT'));
      if (isThere === true || folder === '.') return;
    }
  }

  /** Tidies up: what can't be removed stays, and nobody needs to know. */
  async #removeEmpty(folders: string[]): Promise<void> {
    for (const folder of [...folders].reverse()) {
      const isGone = await files.except(files.rmdir(this.#full(folder)), 'ENOENT').then(() => true, () => false);
      if (!isGone) return;
    }
  }
}

/** The folders below `within` that lead to `path`, from the outside in. */
function foldersBetween(within: string, path: string): string[] {
  const rest = path.slice(within.length + 1).split('/');
  return rest.slice(0, -1).map((_, index) => `${within}/${rest.slice(0, index + 1).join('/')}`);
}

function tooLong(size: number, limit: number): Error {
  return Object.assign(new Error(`EFBIG: ${String(size)} bytes, more than ${String(limit)}`), { code: 'EFBIG' });
}
