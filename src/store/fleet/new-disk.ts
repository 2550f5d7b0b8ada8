import { randomUUID } from 'node:crypto';
import type { DiskPlace } from '../../disks/driver.ts';
import { syncFolderNow } from '../../files/calls.ts';
import type { Made } from '../../files/made.ts';
import { checkPlace, makeDisk, pathOf, unknownId } from '../members/make-disk.ts';
import type { StoreDocument } from '../members/store-document.ts';
import type { DiskEntry } from '../members/store-document.ts';

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
