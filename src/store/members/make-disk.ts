import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { STAGING_FOLDER } from '../../disks/disk.ts';
import type { DiskPlace } from '../../disks/driver.ts';
import { placeAt } from '../../disks/drivers.ts';
import { StoreError } from '../../errors.ts';
import { except } from '../../files/calls.ts';
import type { Made } from '../../files/made.ts';
import { BUCKETS_FOLDER } from '../../metadata/catalog.ts';
import { CHUNKS_FOLDER } from '../../metadata/shard-file.ts';
import { linkTo } from './disk-links.ts';
import type { DiskEntry, StoreDocument } from './store-document.ts';

/** What every disk has. */
export const DISK_FOLDERS = [BUCKETS_FOLDER, CHUNKS_FOLDER, STAGING_FOLDER];

/** A disk begins at an empty place or at none; one elsewhere gets a link in the root, whose name must be free. @throws BAD_ROOT */
export async function checkPlace(root: string, name: string, place: DiskPlace): Promise<void> {
  await place.checkFree(name, DISK_FOLDERS);
  const link = linkTo(root, name, place);
  // Looked up by its name, and not itself: it may be a link to a disk that hangs. The link to this very place is our own, from
  // when making the disk was interrupted.
  if (link === undefined || !(await fs.readdir(root)).includes(name)) return;
  if ((await except(fs.readlink(link), 'EINVAL')) === place.where) return;
  const message = `"${link}" is there already, so it cannot become disk "${name}"`;
  throw new StoreError('BAD_ROOT', message, { disk: name, path: link });
}

/** Makes a disk at an empty place, or goes on where a program died that was making it. */
export async function makeDisk(
  root: string,
  storeId: string,
  { name, id, path: where }: DiskEntry,
  made: Made,
): Promise<void> {
  const place = placeAt(where, root);
  made.add(await place.prepare({ storeId, name, id }, DISK_FOLDERS));
  const link = linkTo(root, name, place);
  if (link !== undefined) await made.link(place.where, link);
}

/** What `store.json` calls the place of a disk. */
export function pathOf(root: string, name: string, { where }: DiskPlace): string {
  return where === path.join(root, name) ? name : where;
}

/**
 * The id of a disk of this name, of which the store does not know, and that has no metas: one that a program began to make
 * and died, or one that was replaced and has been made to forget.
 */
export async function unknownId(place: DiskPlace, document: StoreDocument, name: string): Promise<string | undefined> {
  const id = await strangeId(place, document, name);
  return (await place.isEmpty(BUCKETS_FOLDER)) ? id : undefined;
}

/**
 * Removes the metas of a disk that was replaced: they may be of objects that are deleted and forgotten by all others. Its
 * chunks can do no harm.
 */
export async function forgetMetas(place: DiskPlace, document: StoreDocument, name: string): Promise<void> {
  if ((await strangeId(place, document, name)) !== undefined) await place.clear(BUCKETS_FOLDER);
}

/** The id in the mark of a disk of this store and name, if it is none that the store has. */
async function strangeId(
  place: DiskPlace,
  { id: storeId, disks }: StoreDocument,
  name: string,
): Promise<string | undefined> {
  const mark = await place.mark();
  const isStrange = mark?.storeId === storeId && mark.name === name && !disks.some(({ id }) => id === mark.id);
  return isStrange ? mark.id : undefined;
}
