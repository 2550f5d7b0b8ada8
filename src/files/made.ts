import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { errnoOf } from '../errors.ts';
import { except, makeFolders, rename, syncFolderNow, unlink, WRITE_FLAGS, writeNewFile } from './calls.ts';

/** What has been made so far for a new store or disk, so that a failure can take it back. */
export class Made {
  #undo: (() => Promise<void>)[] = [];

  /** Makes a folder and those above it, durably: also those that stand already, because whoever made them may have died before that. */
  async folder(folder: string): Promise<void> {
    const folders = await makeFolders(folder);
    this.#undo.push(...folders.map((made) => () => fs.rmdir(made)));
    for (let at = folder; at !== path.dirname(at); at = path.dirname(at)) {
      const synced = syncFolderNow(path.dirname(at));
      // Folders that are not ours to open are not ours either.
      await (folders.includes(at) ? synced : except(synced, 'EACCES', 'EPERM', 'EROFS', 'EINVAL'));
    }
  }

  async file(file: string, bytes: Uint8Array): Promise<void> {
    this.#undo.push(() => unlink(file));
    await writeNewFile(file, WRITE_FLAGS.replace, bytes, true);
  }

  async link(target: string, link: string): Promise<void> {
    try {
      await fs.symlink(target, link);
    } catch (error) {
      // One that stands from an unfinished init must lead to the same place.
      if (errnoOf(error) !== 'EEXIST' || (await except(fs.readlink(link), 'EINVAL', 'ENOENT')) !== target) throw error;
      return;
    }
    this.#undo.push(() => unlink(link));
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to);
    this.#undo.push(() => rename(to, from));
  }

  /** Takes a link, or an empty folder, away; nothing else. */
  async clear(link: string): Promise<void> {
    const target = await except(fs.readlink(link), 'ENOENT', 'EINVAL');
    if (target === undefined) {
      await except(fs.rmdir(link), 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY');
      return;
    }
    await unlink(link);
    this.#undo.push(() => fs.symlink(target, link));
  }

  /** Notes what has been made in another way. @param undo takes it back */
  add(undo: () => Promise<void>): void {
    this.#undo.push(undo);
  }

  /** What has been made so far stays. */
  keep(): void {
    this.#undo = [];
  }

  async undo(): Promise<void> {
    for (const step of this.#undo.reverse()) await step().catch(() => undefined);
    this.#undo = [];
  }
}
