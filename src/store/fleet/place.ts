import * as path from 'node:path';
import { NO_ANSWER } from '../../concurrency/patience.ts';
import type { DiskPlace } from '../../disks/driver.ts';
import { placeAt } from '../../disks/drivers.ts';
import { StoreError } from '../../errors.ts';
import type { Made } from '../../files/made.ts';
import type { Membership } from '../members/membership.ts';
import type { StoreDocument } from '../members/store-document.ts';

/**
 * Looks whether the place of a disk to be made answers, also when something has to be written there, as long as nobody
 * is kept waiting by that: while the disks are changed no one can commit. @throws DISK_IO
 */
export async function refuseSilent({ attendance }: Membership, name: string, place: DiskPlace): Promise<void> {
  const answers = [
    await attendance.ask(place, () => place.isMissing()),
    await attendance.ask(place, () => place.tryOut(), attendance.patience.work),
  ];
  if (!answers.includes(NO_ANSWER)) return;
  const message = `"${place.where}" does not answer, so it cannot become disk "${name}"`;
  throw new StoreError('DISK_IO', message, { disk: name, path: place.where });
}

/** Whether nothing is at a place, as far as it answers. */
export async function isMissing({ attendance }: Membership, place: DiskPlace): Promise<boolean> {
  return (await attendance.ask(place, () => place.isMissing())) === true;
}

/** @throws BAD_ROOT where another disk is there, or the place holds one, or is held by one */
export async function refuseOccupied(
  document: StoreDocument,
  members: Membership,
  name: string,
  place: DiskPlace,
): Promise<void> {
  for (const disk of document.disks) {
    if (disk.name === name || !(await isWithin(members, place, placeAt(disk.path, members.root)))) continue;
    const message = `"${place.where}" cannot become disk "${name}": disk "${disk.name}" is there`;
    throw new StoreError('BAD_ROOT', message, { disk: name, path: place.where });
  }
}

/** Whether a place is another one, is in it, or holds it. */
export async function isWithin(members: Membership, place: DiskPlace, other: DiskPlace): Promise<boolean> {
  const [one, two] = [await realName(members, place), await realName(members, other)];
  return `${one}/`.startsWith(`${two}/`) || `${two}/`.startsWith(`${one}/`);
}

/** What a place is called behind all links; where it does not answer that, what it is called anyway. */
export async function realName({ attendance }: Membership, place: DiskPlace): Promise<string> {
  const real = await attendance.ask(place, () => place.realName());
  return real === NO_ANSWER ? place.where : real;
}

/** Takes away the link, or empty folder, that stands where the link to the new place is to be; and a link to nowhere at the place itself. */
export async function clearWay(members: Membership, name: string, place: DiskPlace, made: Made): Promise<void> {
  const link = path.join(members.root, name);
  // A link is taken away without a look at where it leads: that may be the disk which hangs.
  if (place.where !== link || (await isMissing(members, place))) await made.clear(link);
}
