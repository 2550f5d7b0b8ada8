import { realpath, statfs } from 'node:fs/promises';
import * as path from 'node:path';
import type { Turns } from '../../concurrency/call-gate.ts';
import { errnoOf, StoreError, throwIfShort } from '../../errors.ts';
import { except, lstat, mkdir, readdir, removeTree, stat, syncFileNow, syncFolderNow } from '../../files/calls.ts';
import { Made } from '../../files/made.ts';
import { patiently } from '../../files/patiently.ts';
import { readTextIfThere } from '../../files/read-file.ts';
import type { Disk } from '../disk.ts';
import type { DiskDriver, DiskPlace } from '../driver.ts';
import { DISK_MARK, formatDiskMark, compareDiskMark, readDiskMark, type DiskIdentity } from '../identity.ts';
import { IGNORED_NAMES } from '../mark-reader.ts';
import { LocalDisk } from './local-disk.ts';

export const localDriver: DiskDriver = (where, base) => new LocalPlace(path.resolve(base, where));

/** A folder, a mount point, or a link to one. */
class LocalPlace implements DiskPlace {
  readonly where: string;
  readonly isFolder = true;

  constructor(folder: string) {
    this.where = folder;
  }

  open(identity: DiskIdentity, turns?: Turns): Disk {
    return new LocalDisk(this.where, identity, turns);
  }

  async isMissing(): Promise<boolean> {
    try {
      await stat(this.where);
      return false;
    } catch (error) {
      throwIfShort(error, `cannot look at "${this.where}"`);
      return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
    }
  }

  async realName(): Promise<string> {
    const rest: string[] = [];
    for (let folder = this.where; ; folder = path.dirname(folder)) {
      const found = patiently(() => realpath(folder));
      const real = await except(found, 'ENOENT', 'ENOTDIR');
      if (real !== undefined) return path.join(real, ...rest);
      rest.unshift(path.basename(folder));
    }
  }

  async tryOut(): Promise<void> {
    try {
      let there = this.where;
      while (!(await isFolder(there)) && there !== path.dirname(there)) there = path.dirname(there);
      await patiently(() => statfs(there));
      await syncFolderNow(there);
    } catch (error) {
      throwIfShort(error, `cannot look at "${this.where}"`);
    }
  }

  async mark(): Promise<DiskIdentity | undefined> {
    return readDiskMark((await this.#markText()) ?? '');
  }

  async isEmpty(folder: string): Promise<boolean> {
    return ((await namesIn(path.join(this.where, folder))) ?? []).length === 0;
  }

  async checkFree(name: string, folders: readonly string[]): Promise<void> {
    const content = await namesIn(this.where);
    if (content === undefined) {
      if ((await except(lstat(this.where), 'ENOENT')) !== undefined) throw this.#unfit('is not a folder', name);
      return;
    }
    const hasNoDisk = async (): Promise<boolean> =>
      (await this.#isBare(content, [...folders, DISK_MARK], folders)) && (await this.mark()) === undefined;
    if (content.length > 0 && !(await hasNoDisk())) throw this.#unfit('is not empty', name);
  }

  async prepare(identity: DiskIdentity, folders: readonly string[]): Promise<() => Promise<void>> {
    const made = new Made();
    try {
      await made.folder(this.where);
      if (await this.#isBegun(identity, folders)) {
        await syncFileNow(path.join(this.where, DISK_MARK));
      } else {
        for (const folder of folders) await made.folder(path.join(this.where, folder));
        await made.file(path.join(this.where, DISK_MARK), Buffer.from(formatDiskMark(identity)));
      }
      await syncFolderNow(this.where);
    } catch (error) {
      await made.undo();
      throw error;
    }
    return () => made.undo();
  }

  async clear(folder: string): Promise<void> {
    const full = path.join(this.where, folder);
    await removeTree(full);
    await except(mkdir(full), 'EEXIST');
    await syncFolderNow(this.where);
  }

  /**
   * Whether the disk has its mark already, from an init that died. What stands where the disk should be is looked at again:
   * since the plan was made it may have become something else. @throws BAD_ROOT
   */
  async #isBegun(identity: DiskIdentity, folders: readonly string[]): Promise<boolean> {
    const text = await this.#markText();
    const status = text === undefined ? 'empty' : compareDiskMark(text, identity).status;
    if (status === 'online') return true;
    // A mark that is no document is one that the dying init had only begun to write.
    const allowed = status === 'unreadable' ? [...folders, DISK_MARK] : folders;
    if (await this.#isBare((await namesIn(this.where)) ?? [], allowed, folders)) return false;
    throw this.#unfit('is not empty', identity.name);
  }

  /** Whether there is no more than what is allowed, and nothing in the folders. */
  async #isBare(content: readonly string[], allowed: readonly string[], folders: readonly string[]): Promise<boolean> {
    if (!content.every((name) => allowed.includes(name))) return false;
    return (await Promise.all(folders.map((folder) => this.isEmpty(folder)))).every(Boolean);
  }

  #markText(): Promise<string | undefined> {
    return readTextIfThere(path.join(this.where, DISK_MARK));
  }

  #unfit(what: string, name: string): StoreError {
    const details = { disk: name, path: this.where };
    return new StoreError('BAD_ROOT', `"${this.where}" ${what}, so it cannot become disk "${name}"`, details);
  }
}

/** The names in a folder, or undefined where there is no such folder. */
async function namesIn(folder: string): Promise<string[] | undefined> {
  const entries = await except(readdir(folder), 'ENOTDIR', 'ENOENT');
  return entries?.map(({ name }) => name).filter((name) => !IGNORED_NAMES.has(name));
}

async function isFolder(folder: string): Promise<boolean> {
  const stats = await stat(folder).catch((error: unknown) => {
    throwIfShort(error, `cannot look at "${folder}"`);
  });
  return stats?.isDirectory() === true;
}
