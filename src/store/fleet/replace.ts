import { describeOffline } from '../../disks/disk-set.ts';
import type { DiskPlace } from '../../disks/driver.ts';
import { placeAt } from '../../disks/drivers.ts';
import { StoreError } from '../../errors.ts';
import { Made } from '../../files/made.ts';
import { moveOldFolder, relink } from '../members/disk-links.ts';
import { forgetMetas, pathOf } from '../members/make-disk.ts';
import type { Membership } from '../members/membership.ts';
import { making } from '../members/making.ts';
import type { StoreContext } from '../protocol/context.ts';
import { findDisk, withDisk, type DiskEntry, type StoreDocument } from '../members/store-document.ts';
import { stateAt, type DiskOptions } from './entries.ts';
import { faultOf, refuseLosing } from './failing-disk.ts';
import { refuseUnreadable } from './needs.ts';
import { newDisk } from './new-disk.ts';
import { clearWay, isMissing, isWithin, realName, refuseOccupied, refuseSilent } from './place.ts';

export interface ReplaceOptions extends DiskOptions {
  /** Replace it even though fewer disks are there than it takes to be sure that what they say is the newest. */
  allowStale?: boolean | undefined;
  /** Replace a disk that is there although a look at it finds nothing wrong. */
  failing?: boolean | undefined;
  /** Called where the old disk's folder stood in the way, with the path that it has now. */
  onOldFolder?: ((folder: string) => void) | undefined;
}

/**
 * Accepts an empty folder as the disk of this name, whose data is lost; `heal` then makes it again. A folder that is the
 * disk itself, moved by hand, is accepted as it is. One that was the disk until it was replaced is taken back: its chunks
 * are used where they are still needed, and its metas, which may be old, are made anew. A disk that is there and answers
 * its mark is replaced only if it fails otherwise, or is said to, and if nothing can be read only with it. Resolves to
 * whether there is anything to heal.
 * @throws NO_SUCH_DISK, DISK_EXISTS where the disk is there and well, DISK_NEEDED, BAD_ROOT, DISK_IO where the place does not answer
 */
export async function replaceDisk(
  context: StoreContext,
  name: string,
  folder: string | undefined,
  options: ReplaceOptions,
): Promise<boolean> {
  const { members } = context;
  await members.refresh();
  const known = findDisk(members.document, name);
  const place = folder === undefined ? placeAt(known.path, members.root) : placeAt(folder, process.cwd());
  const where = pathOf(members.root, name, place);
  // Who hangs is found before others are kept waiting for it.
  await members.disks.states();
  // A disk that hangs in its own place is refused in other words.
  if (where !== known.path || (await stateAt(members, members.document, known)) !== 'hanging')
    await refuseSilent(members, name, place);
  const made = new Made();
  const fault =
    options.failing === true ? 'it is said to be failing' : await lookForFault(context, name, place, options);
  let isNew = false;
  let aside: string | undefined;
  const change = async (document: StoreDocument): Promise<StoreDocument | undefined> => {
    const old = findDisk(document, name);
    const moved = { ...old, path: where };
    const found = await stateAt(members, document, old);
    const isThere = found === 'online';
    // Begun before, and interrupted: there is everything left to heal.
    if (old.role === 'joining' && where === old.path && isThere) {
      isNew = true;
      return undefined;
    }
    if (found === 'hanging' && where === old.path) {
      const advice = 'replace it by a folder elsewhere, or first put another one in its place';
      throw new StoreError('DISK_IO', `disk "${name}" does not answer; ${advice}`, { disk: name });
    }
    const isSame =
      isThere && (await realName(members, place)) === (await realName(members, placeAt(old.path, members.root)));
    if (where !== old.path && (!isThere || isSame) && (await stateAt(members, document, moved)) === 'online') {
      await relink(members.root, name, place, made);
      return withDisk(document, name, moved);
    }
    if (isThere) await refuseWell(members, old, place, fault);
    refuseUnreadable(document, document.disks.length, name);
    if (options.allowStale !== true) await refuseTooEarly(context, name);
    const failing = isThere ? context.disks.disks.find((disk) => disk.name === name) : undefined;
    if (failing !== undefined) await refuseLosing(context, failing, options.allowStale ?? false, options.signal);
    await refuseOccupied(document, members, name, place);
    // Elsewhere that is most likely a mistake.
    const isElsewhere = where !== old.path && where !== name;
    if (isElsewhere && (await isMissing(members, place)))
      throw new StoreError('BAD_ROOT', `there is no folder "${place.where}"`, { disk: name, path: place.where });
    await clearWay(members, name, place, made);
    // What stands at the disk's own place is what is replaced, unless it is another disk.
    const isOther = ['swapped', 'foreign'].includes(await stateAt(members, document, old));
    if (isThere || (old.path === name && !isOther)) aside = await moveOldFolder(members.root, name, place, made);
    await forgetMetas(place, document, name);
    const disk = await newDisk(document, members.root, name, place, made);
    isNew = true;
    return withDisk(document, name, disk);
  };
  await making('a disk', place.where, made, () =>
    members.change(context.locks, options.signal, change, made.keep.bind(made)),
  );
  if (aside !== undefined) options.onOldFolder?.(aside);
  return isNew;
}

/** What is wrong with a disk that is there, and is to be replaced by another place. */
async function lookForFault(
  context: StoreContext,
  name: string,
  place: DiskPlace,
  { signal }: DiskOptions,
): Promise<string | undefined> {
  const { members } = context;
  const known = findDisk(members.document, name);
  const disk = context.disks.disks.find((candidate) => candidate.name === name);
  if (
    disk === undefined ||
    (await stateAt(members, members.document, known)) !== 'online' ||
    (await isWithin(members, place, placeAt(known.path, members.root)))
  )
    return undefined;
  return faultOf(context, disk, signal);
}

/** @throws DISK_EXISTS, BAD_ROOT where a disk that is there is not to be replaced, or not by this place */
async function refuseWell(
  members: Membership,
  { name, path }: DiskEntry,
  place: DiskPlace,
  fault: string | undefined,
): Promise<void> {
  const old = placeAt(path, members.root);
  if (await isWithin(members, place, old)) {
    const isItself = (await realName(members, place)) === (await realName(members, old));
    const message = isItself
      ? `disk "${name}" is there; if it is failing, name the empty folder that is to take its place`
      : `"${place.where}" cannot become disk "${name}": that is there still`;
    throw new StoreError(isItself ? 'DISK_EXISTS' : 'BAD_ROOT', message, { disk: name, path: place.where });
  }
  if (fault !== undefined) return;
  throw new StoreError(
    'DISK_EXISTS',
    `disk "${name}" is there, and a look at it finds nothing wrong; if it fails otherwise, replace it with --failing; to change it for another, add that one, then drain and remove this one`,
    { disk: name },
  );
}

/** @throws TOO_FEW_DISKS_TO_READ where what the disk should have can't be known for sure: another one may only be away */
async function refuseTooEarly({ disks }: StoreContext, name: string): Promise<void> {
  const { online, offline } = await disks.look();
  const found = online.filter((disk) => disk.name !== name && disks.isVoter(disk)).length;
  if (found >= disks.readQuorum) return;
  const others = offline.filter(({ disk }) => disk !== name);
  throw new StoreError(
    'TOO_FEW_DISKS_TO_READ',
    `${found} other disks are there, and it takes ${disks.readQuorum} to know for sure what disk "${name}" should have: ${describeOffline(others)}; bring them back first, or take what is left for the newest with --allow-stale`,
    { disk: name, expected: disks.readQuorum, found },
  );
}
