import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { NO_ANSWER } from '../../concurrency/patience.ts';
import { errnoOf, reasonOf, StoreError, throwIfShort } from '../../errors.ts';
import { except, syncFolderNow } from '../../files/calls.ts';
import type { Made } from '../members/made.ts';
import type { Membership } from '../members/membership.ts';
import type { StoreDocument } from '../members/store-document.ts';

export interface Place {
  /** Absolute. */
  folder: string;
  /** As it stands in `store.json`. */
  path: string;
}

export function placeOf(root: string, name: string, folder: string): Place {
  const absolute = path.resolve(folder);
  return { folder: absolute, path: absolute === path.join(root, name) ? name : absolute };
}

/**
 * Looks whether the place of a disk to be made answers, also when something has to be written there, as long as nobody
 * is kept waiting by that: while the disks are changed no one can commit. @throws DISK_IO
 */
export async function refuseSilent({ attendance }: Membership, name: string, { folder }: Place): Promise<void> {
  const told = <T>(outcome: T | typeof NO_ANSWER): T => {
    if (outcome === NO_ANSWER)
      throw new StoreError('DISK_IO', `"${folder}" does not answer, so it cannot become disk "${name}"`, {
        disk: name,
        path: folder,
      });
    return outcome;
  };
  let there = folder;
  while (!told(await attendance.ask(folder, () => isFolder(there))) && there !== path.dirname(there))
    there = path.dirname(there);
  // What else is wrong with it is told when the disk is made.
  const use = (): Promise<unknown> =>
    fs
      .statfs(there)
      .then(() => syncFolderNow(there))
      .catch((error: unknown) => {
        throwIfShort(error, `cannot look at "${there}"`);
      });
  told(await attendance.ask(folder, use, attendance.patience.work));
}

async function isFolder(folder: string): Promise<boolean> {
  const stats = await fs.stat(folder).catch((error: unknown) => {
    throwIfShort(error, `cannot look at "${folder}"`);
  });
  return stats?.isDirectory() === true;
}

/** Whether nothing is at a place, as far as it answers. */
export async function isMissing({ attendance }: Membership, { folder }: Place): Promise<boolean> {
  return (await attendance.ask(folder, () => except(fs.stat(folder), 'ENOENT', 'ENOTDIR'))) === undefined;
}

/** @throws BAD_ROOT where another disk is there, or the place holds one, or is held by one */
export async function refuseOccupied(
  document: StoreDocument,
  members: Membership,
  name: string,
  { folder }: Place,
): Promise<void> {
  for (const disk of document.disks) {
    if (disk.name !== name && (await isWithin(members, folder, path.resolve(members.root, disk.path)))) {
      throw new StoreError('BAD_ROOT', `"${folder}" cannot become disk "${name}": disk "${disk.name}" is there`, {
        disk: name,
        path: folder,
      });
    }
  }
}

/** Whether a place is a disk's own folder, is in it, or holds it. */
export async function isWithin(members: Membership, folder: string, other: string): Promise<boolean> {
  const [one, two] = [await realPlace(members, folder), await realPlace(members, other)];
  return `${one}/`.startsWith(`${two}/`) || `${two}/`.startsWith(`${one}/`);
}

/** Where a folder is, or will be, behind all links; where a disk does not answer that, what is said of it. */
export async function realPlace(members: Membership, folder: string): Promise<string> {
  const real = await members.attendance.ask(folder, () => except(fs.realpath(folder), 'ENOENT', 'ENOTDIR'));
  if (real === NO_ANSWER) return folder;
  return real ?? path.join(await realPlace(members, path.dirname(folder)), path.basename(folder));
}

/** Takes away the link, or empty folder, that stands where the link to the new place is to be; and a link to nowhere at the place itself. */
export async function clearWay(
  { attendance }: Membership,
  inside: string,
  { folder }: Place,
  made: Made,
): Promise<void> {
  // A link is taken away without a look at where it leads: that may be the disk which hangs.
  if (folder !== inside || (await attendance.ask(inside, () => except(fs.stat(inside), 'ENOENT'))) === undefined)
    await made.clear(inside);
}

/**
 * Renames the folder of a disk that is being replaced, or whatever is at its place, where that stands in the way of the link to
 * the new one, and tells how.
 * @throws BAD_ROOT where it can't be renamed, because it is a mount point for instance
 */
export async function moveOldFolder(
  root: string,
  name: string,
  { folder }: Place,
  made: Made,
): Promise<string | undefined> {
  const inside = path.join(root, name);
  if (folder === inside || (await except(fs.lstat(inside), 'ENOENT')) === undefined) return undefined;
  // Hidden, so that nobody takes it for a disk of the store.
  let aside = path.join(root, `.${name}.replaced`);
  for (let times = 2; (await except(fs.lstat(aside), 'ENOENT')) !== undefined; times++)
    aside = path.join(root, `.${name}.replaced-${times}`);
  try {
    await made.rename(inside, aside);
  } catch (error) {
    const errno = errnoOf(error);
    const details = { disk: name, path: inside, ...(errno === undefined ? {} : { errno }) };
    throw new StoreError(
      'BAD_ROOT',
      `"${inside}" is in the way of a link to "${folder}"; unmount it, or move it away first (${reasonOf(error)})`,
      details,
      error,
    );
  }
  return aside;
}

export async function relink(root: string, name: string, { folder }: Place, made: Made): Promise<void> {
  const inside = path.join(root, name);
  if (folder === inside) return;
  await made.clear(inside);
  if ((await except(fs.lstat(inside), 'ENOENT')) !== undefined) {
    throw new StoreError('BAD_ROOT', `"${inside}" is in the way of a link to "${folder}"; move it away first`, {
      disk: name,
      path: inside,
    });
  }
  await made.link(folder, inside);
  await syncFolderNow(root);
}
