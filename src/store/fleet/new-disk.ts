import { randomUUID } from 'node:crypto';
import type { DiskPlace } from '../../disks/driver.ts';
import { errnoOf, isStoreError, reasonOf, StoreError, throwIfShort } from '../../errors.ts';
import { syncFolderNow } from '../../files/calls.ts';
import type { Made } from '../../files/made.ts';
import { checkPlace, makeDisk, pathOf, unknownId } from '../members/make-disk.ts';
import type { StoreDocument } from '../members/store-document.ts';
import type { DiskEntry } from './entries.ts';

/** Makes a disk that is to join the store, or goes on where a program died that was doing so. @throws BAD_ROOT */
export async function newDisk(
  document: StoreDocument,
  root: string,
  name: string,
  place: DiskPlace,
  made: Made,
): Promise<DiskEntry> {
  const stood = await unknownId(place, document, name);
  if (stood === undefined) await checkPlace(root, name, place);
  const disk: DiskEntry = { name, id: stood ?? randomUUID(), path: pathOf(root, name, place), role: 'joining' };
  await makeDisk(root, document.id, disk, made);
  await syncFolderNow(root);
  return disk;
}

/** Runs `work`; if it fails, what it has made is taken back, and a system error of the place is told as one. */
export async function making({ where }: DiskPlace, made: Made, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await made.undo();
    if (isStoreError(error)) throw error;
    throwIfShort(error, `cannot make a disk in "${where}"`);
    const errno = errnoOf(error);
    const details = { path: where, ...(errno === undefined ? {} : { errno }) };
    if (errno === 'EEXIST' || errno === 'ENOTDIR')
      throw new StoreError('BAD_ROOT', `"${where}" is not a folder`, details, error);
    throw new StoreError('STORE_NOT_WRITABLE', `cannot make a disk in "${where}": ${reasonOf(error)}`, details, error);
  }
}
