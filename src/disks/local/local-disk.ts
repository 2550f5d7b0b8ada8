import { dirname } from 'node:path/posix';
import { errnoOf } from '../../errors.ts';
import { NO_TURNS, type Turns } from '../../concurrency/call-gate.ts';
import { diskError } from '../disk-error.ts';
import { bufferFor, MAX_DOCUMENT_BYTES, STAGING_FOLDER } from '../disk.ts';
import type { Disk, DiskEntry, DiskRoom, DiskState, FileStat, StagedFile } from '../disk.ts';
import type { ReadOptions, RemoveOptions, StageOptions, WriteOptions } from '../disk.ts';
import type {
  CreateManyOptions,
  Failures,
  NewDocument,
  NewFile,
  OldFile,
  ReadOutcome,
  RemoveManyOptions,
  StagedFiles,
  StatOutcome,
} from '../disk.ts';
import * as files from '../../files/calls.ts';
import { syncFileSystem } from '../../files/file-system-sync.ts';
import { FolderSync } from '../../files/folder-sync.ts';
import { readRegularFile } from '../../files/read-file.ts';
import { FolderGuard } from './folder-guard.ts';
import type { DiskIdentity } from '../identity.ts';
import { MarkReader } from '../mark-reader.ts';
import { foldersBetween } from '../one-by-one.ts';
import { toFileStat } from './file-stat.ts';
import { LocalMany } from './local-many.ts';
import { roomAt } from './room.ts';
import { setAside } from './set-aside.ts';

/** How often a publish makes its folders anew when others keep removing them as empty. */
const PUBLISH_TRIES = 100;

/** A disk that is a folder of this machine's file system, a mount point, or a link to one. */
export class LocalDisk implements Disk {
  readonly name: string;
  readonly isSlow = false;
  readonly #root: string;
  readonly #mark: MarkReader;
  readonly #folderSync: FolderSync;
  readonly #guard: FolderGuard;
  readonly #many: LocalMany;

  /**
   * @param root Absolute path of the disk's folder.
   * @param turns at the disk, if its calls have to take turns
   */
  constructor(root: string, identity: DiskIdentity, turns: Turns = NO_TURNS) {
    this.name = identity.name;
    this.#root = root;
    this.#guard = new FolderGuard(root);
    this.#folderSync = new FolderSync(turns);
    this.#mark = new MarkReader(this, identity, () => this.#isThere());
    this.#many = new LocalMany(this, root, turns);
  }

  state(): Promise<DiskState> {
    return this.#mark.state();
  }

  async read(path: string, options: ReadOptions = {}): Promise<Buffer | undefined> {
    const { limit, direct } = options;
    const reading = { buffer: bufferFor(options), expected: limit, most: limit ?? MAX_DOCUMENT_BYTES, direct };
    return this.#attempt('read', path, (full) => this.#ifThere(path, readRegularFile(full, reading)));
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#attempt('look at', path, async (full) => {
      const stats = await this.#ifThere(path, files.lstat(full));
      if (stats === undefined) return undefined;
      return toFileStat(stats, stats.isFile());
    });
  }

  create(path: string, bytes: Uint8Array, { durable }: WriteOptions): Promise<void> {
    return this.#change('write', path, (full) => files.writeNewFile(full, files.WRITE_FLAGS.exclusive, bytes, durable));
  }

  async stage(path: string, bytes: Uint8Array, options: StageOptions): Promise<StagedFile> {
    const { id, within, durable } = options;
    const file = this.staged(path, options);
    try {
      const staged = `${STAGING_FOLDER}/${id}`;
      const write = (): Promise<void> =>
        files.writeNewFile(this.#full(staged), files.WRITE_FLAGS.replace, bytes, durable);
      await this.#change('stage', path, write, STAGING_FOLDER);
      await this.#makeFolders(within, foldersBetween(within, path));
    } catch (error) {
      await file.discard().catch(() => undefined);
      throw error;
    }
    return file;
  }

  /** A document that lies staged, with the folders that lead to its path. */
  staged(path: string, { id, within, durable }: StageOptions): StagedFile {
    const folders = foldersBetween(within, path);
    const staged = `${STAGING_FOLDER}/${id}`;
    const discard = async (): Promise<void> => {
      await this.#attempt('remove', staged, (full) => files.except(files.unlink(full), 'ENOENT'));
      await this.#removeEmpty(folders);
    };
    const publish = async (): Promise<void> => {
      for (let tries = 1; ; tries++) {
        try {
          await this.#guard.checkAnew(dirname(path));
          await files.rename(this.#full(staged), this.#full(path));
          break;
        } catch (error) {
          // Another operation may just have removed our folders as empty.
          if (errnoOf(error) !== 'ENOENT' || folders.length === 0 || tries === PUBLISH_TRIES) {
            throw diskError(this.name, 'publish', path, error);
          }
          await this.#makeFolders(within, folders);
        }
      }
      // The file now holds its folders in place, so their names can be made durable from the inside out.
      if (durable) for (const folder of [...folders].reverse().concat(within)) await this.syncFolder(folder);
    };
    return { publish, discard };
  }

  async remove(path: string, { within, durable, evenFolder = false }: RemoveOptions): Promise<void> {
    const folders = foldersBetween(within, path);
    await this.#change('remove', path, async (full) => {
      try {
        const removal = files.unlink(full).then(() => true);
        const isRemoved = await this.#ifThere(path, removal);
        // The disk may have been away for that moment: only what is not there while the disk is counts as gone.
        if (isRemoved === undefined) await this.#ifThere(path, files.unlink(full));
      } catch (error) {
        if (errnoOf(error) !== 'EISDIR') throw error;
        // Somebody has put a folder where a file of ours should be, and what is in it is theirs.
        if (evenFolder) await files.removeTree(full);
        else await setAside(this.#root, path);
      }
    });
    // Also where nothing was left to remove: who removed it may have died before that was durable.
    if (durable) await this.syncNearest(path);
    await this.#removeEmpty(folders);
  }

  async rename(path: string, to: string, { durable }: WriteOptions): Promise<void> {
    await this.#change('rename', path, async (full) => {
      await this.#guard.check(dirname(to));
      await files.rename(full, this.#full(to));
    });
    if (durable) await this.syncFolder(dirname(to));
  }

  async makeFolder(path: string): Promise<void> {
    await this.#change('make folder', path, () => this.#makeFolder(path));
  }

  syncFolder(path: string): Promise<void> {
    return this.#attemptIn(path, 'sync folder', path, (full) => this.#folderSync.sync(full));
  }

  flush(): Promise<void> {
    return this.#attempt('flush', '.', syncFileSystem);
  }

  removeFolder(path: string): Promise<boolean> {
    return this.#change('remove folder', path, (full) =>
      files.succeeds(files.except(files.rmdir(full), 'ENOENT'), 'ENOTEMPTY', 'EEXIST'),
    );
  }

  room(): Promise<DiskRoom | undefined> {
    return this.#attempt('look at', '', roomAt);
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.#attemptIn(path, 'list', path, async (full) => {
      const entries = await this.#ifThere(`${path}/`, files.readdir(full));
      return (entries ?? []).map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
    });
  }

  setAside(path: string): Promise<string | undefined> {
    return this.#attemptIn('.', 'set aside', path, async () => {
      this.#guard.forget();
      return setAside(this.#root, path);
    });
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

  /** Syncs the innermost folder of a path that is there: another operation may have removed the inner ones as empty. */
  async syncNearest(path: string): Promise<void> {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      // The disk's own folder is missing where the disk has gone.
      const missing = folder === '.' ? [] : ['ENOENT'];
      const isThere = await this.#attemptIn(folder, 'sync folder', folder, (full) =>
        files.succeeds(this.#folderSync.sync(full), ...missing),
      );
      if (isThere) return;
    }
  }

  async #isThere(): Promise<boolean> {
    const stats = await this.#attempt('look at', '.', () => files.except(files.stat(this.#root), 'ENOENT', 'ENOTDIR'));
    return stats?.isDirectory() === true;
  }

  #full(path: string): string {
    return `${this.#root}/${path}`;
  }

  /** An attempt to change something, which must not be led elsewhere by what the folder has become a moment ago. */
  #change<T>(action: string, path: string, work: (full: string) => Promise<T>, folder = dirname(path)): Promise<T> {
    return this.#attemptIn(folder, action, path, async (full) => {
      await this.#guard.checkAnew(folder);
      return work(full);
    });
  }

  #attempt<T>(action: string, path: string, work: (full: string) => Promise<T>): Promise<T> {
    return this.#attemptIn(dirname(path), action, path, work);
  }

  /** @param folder where the work is done: neither it nor a folder above it may be a link */
  async #attemptIn<T>(folder: string, action: string, path: string, work: (full: string) => Promise<T>): Promise<T> {
    try {
      await this.#guard.check(folder);
      return await work(this.#full(path));
    } catch (error) {
      throw diskError(this.name, action, path, error);
    }
  }

  /** What is at a path, or undefined where it is missing and the disk is not: the folder of the disk that it is in is there. */
  async #ifThere<T>(path: string, look: Promise<T>): Promise<T | undefined> {
    const found = await files.except(look, 'ENOENT');
    const outermost = path.split('/', 1)[0] ?? '';
    if (found === undefined && outermost !== path && outermost !== '.') await this.#guard.checkAnew(outermost);
    return found;
  }

  /** Makes one folder, or sees to it that what is there is one. */
  async #makeFolder(path: string): Promise<void> {
    if (await files.succeeds(files.mkdir(this.#full(path)), 'EEXIST')) this.#guard.made(path);
    else await this.#guard.check(path);
  }

  async #makeFolders(within: string, folders: string[]): Promise<void> {
    await this.#attemptIn(within, 'make folders in', within, () => Promise.resolve());
    for (let index = 0, tries = 1; index < folders.length; index++) {
      const folder = folders[index] ?? '';
      try {
        await this.#makeFolder(folder);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || index === 0 || tries++ === PUBLISH_TRIES) {
          throw diskError(this.name, 'make folder', folder, error);
        }
        index = -1;
      }
    }
  }

  /** Tidies up: what can't be removed stays, and nobody needs to know. */
  async #removeEmpty(folders: string[]): Promise<void> {
    try {
      for (const folder of [...folders].reverse()) await files.except(files.rmdir(this.#full(folder)), 'ENOENT');
    } catch {
      // Others have something in it.
    }
  }
}
