import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { STAGING_FOLDER } from '../../disks/disk.ts';
import { DISK_MARK, formatDiskMark, judgeDiskMark, readDiskMark, type DiskIdentity } from '../../disks/identity.ts';
import { IGNORED_NAMES } from '../../disks/local/local-disk.ts';
import { StoreError } from '../../errors.ts';
import { except, syncFileNow, syncFolderNow } from '../../files/calls.ts';
import { readText as readFileText } from '../../files/read-file.ts';
import { BUCKETS_FOLDER } from '../../metadata/catalog.ts';
import { CHUNKS_FOLDER } from '../../metadata/meta.ts';
import type { Made } from './made.ts';
import type { StoreDocument } from './store-document.ts';

/** What every disk has. */
export const DISK_FOLDERS = [BUCKETS_FOLDER, CHUNKS_FOLDER, STAGING_FOLDER];

/** A disk begins as an empty folder or as none; one elsewhere gets a link in the root, whose name must be free. */
export async function checkPlace(root: string, name: string, folder: string): Promise<void> {
  const refuse = (what: string, where: string): never => {
    throw new StoreError('BAD_ROOT', `"${where}" ${what}, so it cannot become disk "${name}"`, {
      disk: name,
      path: where,
    });
  };
  const content = await folderContent(folder);
  if (content !== undefined && content.length > 0 && !(await isBare(folder, content))) refuse('is not empty', folder);
  if (content === undefined && (await except(fs.lstat(folder), 'ENOENT')) !== undefined)
    refuse('is not a folder', folder);
  const inside = path.join(root, name);
  // Looked up by its name, and not itself: it may be a link to a disk that hangs. The link to this very place is our own, from
  // when making the disk was interrupted.
  if (folder === inside || !(await fs.readdir(root)).includes(name)) return;
  if ((await except(fs.readlink(inside), 'EINVAL')) !== folder) refuse('is there already', inside);
}

/** Whether there is no more than what a program has made that died before it wrote the disk's mark. */
async function isBare(folder: string, content: readonly string[]): Promise<boolean> {
  if (!content.every((name) => name === DISK_MARK || DISK_FOLDERS.includes(name))) return false;
  if (readDiskMark((await readText(path.join(folder, DISK_MARK))) ?? '') !== undefined) return false;
  const inside = await Promise.all(DISK_FOLDERS.map((name) => folderContent(path.join(folder, name))));
  return inside.flat().every((name) => name === undefined);
}

/** The names in a folder, or undefined where there is no such folder. */
export async function folderContent(folder: string): Promise<string[] | undefined> {
  const entries = await except(fs.readdir(folder), 'ENOTDIR', 'ENOENT');
  return entries?.filter((entry) => !IGNORED_NAMES.has(entry));
}

/** Makes a disk of an empty folder, or goes on where a program died that was making it. */
export async function makeDisk(
  root: string,
  storeId: string,
  disk: StoreDocument['disks'][number],
  made: Made,
): Promise<void> {
  const folder = path.resolve(root, disk.path);
  const inside = path.join(root, disk.name);
  await made.folder(folder);
  if (folder !== inside) await made.link(folder, inside);
  const identity = { storeId, name: disk.name, id: disk.id };
  const mark = path.join(folder, DISK_MARK);
  if (await isBegun(folder, identity)) {
    await syncFileNow(mark);
  } else {
    for (const name of DISK_FOLDERS) await made.folder(path.join(folder, name));
    await made.file(mark, Buffer.from(formatDiskMark(identity)));
  }
  await syncFolderNow(folder);
}

/**
 * Whether a disk has its mark already, from an init that died. What stands where the disk should be is looked at again:
 * since the plan was made it may have become something else. @throws BAD_ROOT
 */
async function isBegun(folder: string, identity: DiskIdentity): Promise<boolean> {
  const text = await readText(path.join(folder, DISK_MARK));
  const status = text === undefined ? 'empty' : judgeDiskMark(text, identity).status;
  if (status === 'online') return true;
  // A mark that is no document is one that the dying init had only begun to write.
  const allowed = status === 'unreadable' ? [...DISK_FOLDERS, DISK_MARK] : DISK_FOLDERS;
  const content = (await folderContent(folder)) ?? [];
  const inside = await Promise.all(DISK_FOLDERS.map((name) => folderContent(path.join(folder, name))));
  if (content.every((name) => allowed.includes(name)) && inside.flat().every((name) => name === undefined))
    return false;
  throw new StoreError('BAD_ROOT', `"${folder}" is not empty, so it cannot become disk "${identity.name}"`, {
    disk: identity.name,
    path: folder,
  });
}

/**
 * The id of a disk of this name, of which the store does not know, and that has no metas: one that a program began to make
 * and died, or one that was replaced and has been made to forget.
 */
export async function unknownId(folder: string, document: StoreDocument, name: string): Promise<string | undefined> {
  const id = await strangeId(folder, document, name);
  const metas = await folderContent(path.join(folder, BUCKETS_FOLDER));
  return metas === undefined || metas.length === 0 ? id : undefined;
}

/**
 * Removes the metas of a disk that was replaced: they may be of objects that are deleted and forgotten by all others. Its
 * chunks can do no harm.
 */
export async function forgetMetas(folder: string, document: StoreDocument, name: string): Promise<void> {
  if ((await strangeId(folder, document, name)) === undefined) return;
  const metas = path.join(folder, BUCKETS_FOLDER);
  await fs.rm(metas, { recursive: true, force: true });
  await except(fs.mkdir(metas), 'EEXIST');
  await syncFolderNow(folder);
}

/** The id in the mark of a disk of this store and name, if it is none that the store has. */
async function strangeId(
  folder: string,
  { id: storeId, disks }: StoreDocument,
  name: string,
): Promise<string | undefined> {
  const mark = readDiskMark((await readText(path.join(folder, DISK_MARK))) ?? '');
  return mark?.storeId !== storeId || mark.name !== name || disks.some(({ id }) => id === mark.id)
    ? undefined
    : mark.id;
}

/** A file's text, or undefined where there is no such file. */
export async function readText(file: string): Promise<string | undefined> {
  return except(readFileText(file), 'ENOENT', 'ENOTDIR');
}
