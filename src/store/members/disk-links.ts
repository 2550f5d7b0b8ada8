import * as path from 'node:path';
import type { DiskPlace } from '../../disks/driver.ts';
import { errnoOf, reasonOf, StoreError } from '../../errors.ts';
import { except, lstat, syncFolderNow } from '../../files/calls.ts';
import type { Made } from '../../files/made.ts';

/** The link in the store's folder that leads to a disk elsewhere; undefined where there is to be none. */
export function linkTo(root: string, name: string, { isFolder, where }: DiskPlace): string | undefined {
  const link = path.join(root, name);
  return isFolder && where !== link ? link : undefined;
}

/**
 * Renames the folder of a disk that is being replaced, or whatever is at its place, where that stands in the way of the link to
 * the new one, and tells how.
 * @throws BAD_ROOT where it can't be renamed, because it is a mount point for instance
 */
export async function moveOldFolder(
  root: string,
  name: string,
  place: DiskPlace,
  made: Made,
): Promise<string | undefined> {
  const link = linkTo(root, name, place);
  if (link === undefined || !(await isThere(link))) return undefined;
  // Hidden, so that nobody takes it for a disk of the store.
  let aside = path.join(root, `.${name}.replaced`);
  for (let times = 2; await isThere(aside); times++) aside = path.join(root, `.${name}.replaced-${times}`);
  try {
    await made.rename(link, aside);
  } catch (error) {
    throw inTheWay(name, link, place, `unmount it, or move it away first (${reasonOf(error)})`, error);
  }
  return aside;
}

/** Makes the link to a disk that has been moved by hand. @throws BAD_ROOT where something else stands there */
export async function relink(root: string, name: string, place: DiskPlace, made: Made): Promise<void> {
  const link = linkTo(root, name, place);
  if (link === undefined) return;
  await made.clear(link);
  if (await isThere(link)) throw inTheWay(name, link, place, 'move it away first');
  await made.link(place.where, link);
  await syncFolderNow(root);
}

async function isThere(link: string): Promise<boolean> {
  return (await except(lstat(link), 'ENOENT')) !== undefined;
}

function inTheWay(disk: string, link: string, { where }: DiskPlace, advice: string, cause?: unknown): StoreError {
  const details = { disk, path: link, errno: errnoOf(cause) };
  return new StoreError('BAD_ROOT', `"${link}" is in the way of a link to "${where}"; ${advice}`, details, cause);
}
