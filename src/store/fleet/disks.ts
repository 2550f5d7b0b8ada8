import { randomUUID } from 'node:crypto';
import * as path from 'node:path';
import { describeOffline, readQuorumOf, writeQuorumOf, type DiskRole } from '../../disks/disk-set.ts';
import { errnoOf, isStoreError, reasonOf, StoreError, throwIfShort } from '../../errors.ts';
import { syncFolderNow } from '../../files/calls.ts';
import { checkDiskName } from '../../metadata/names.ts';
import { parseRedundancy } from '../../metadata/redundancy.ts';
import type { StoreContext } from '../protocol/context.ts';
import { faultOf, refuseLosing } from './failing-disk.ts';
import { changeWhenComplete, joinDisks } from '../health/joining.ts';
import { Made } from '../members/made.ts';
import { checkPlace, forgetMetas, makeDisk, unknownId } from '../members/make-disk.ts';
import type { Membership } from '../members/membership.ts';
import {
  clearWay,
  isMissing,
  isWithin,
  moveOldFolder,
  placeOf,
  realPlace,
  refuseOccupied,
  refuseSilent,
  relink,
  type Place,
} from './place.ts';
import { survey } from './survey.ts';
import type { StoreDocument } from '../members/store-document.ts';

export interface DiskOptions {
  signal?: AbortSignal | undefined;
}

export interface ReplaceOptions extends DiskOptions {
  /** Replace it even though fewer disks are there than it takes to be sure that what they say is the newest. */
  allowStale?: boolean | undefined;
  /** Replace a disk that is there although a look at it finds nothing wrong. */
  failing?: boolean | undefined;
  /** Called where the old disk's folder stood in the way, with the path that it has now. */
  onOldFolder?: ((folder: string) => void) | undefined;
}

const SHOWN_REASONS = 3;

type DiskEntry = StoreDocument['disks'][number];

/**
 * Adds an empty folder as a new disk. It takes chunks at once; it counts in reads as soon as it has got all metas, before
 * this resolves. If that is interrupted, `heal` goes on with it.
 * @throws DISK_EXISTS, BAD_DISK_NAME, BAD_ROOT, STORE_NOT_WRITABLE, DISK_IO where the place does not answer
 */
export async function addDisk(
  context: StoreContext,
  name: string,
  folder: string,
  options: DiskOptions,
): Promise<void> {
  checkDiskName(name);
  const { members } = context;
  const place = placeOf(members.root, name, folder);
  // Who hangs is found before others are kept waiting for it.
  await members.refresh();
  await members.disks.states();
  await refuseSilent(members, name, place);
  const made = new Made();
  await making(place, made, () =>
    members.change(
      context.locks,
      options.signal,
      async (document) => {
        const known = document.disks.find((disk) => disk.name === name);
        // Begun before, and interrupted: what is left to do is to bring it all metas.
        if (known?.role === 'joining' && known.path === place.path) return undefined;
        if (known !== undefined) {
          throw new StoreError('DISK_EXISTS', `there is a disk "${name}" already`, { disk: name });
        }
        refuseUnreadable(document, document.disks.length + 1, undefined);
        await refuseOccupied(document, members, name, place);
        const disk = await newDisk(document, members.root, name, place, made);
        return { ...document, disks: [...document.disks, disk] };
      },
      made.keep.bind(made),
    ),
  );
  const failed: string[] = [];
  await joinDisks(context, { failed, allowStale: false, signal: options.signal });
  // Somebody else's heal may have done it before us.
  await members.refresh();
  if (members.disks.roleOf(name) === 'joining') {
    throw new StoreError(
      'DISK_IO',
      `disk "${name}" is added, but it has not got all metas yet (run "store heal"): ${inShort(failed)}`,
      { disk: name },
    );
  }
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
  const place = placeOf(members.root, name, folder ?? path.resolve(members.root, known.path));
  // Who hangs is found before others are kept waiting for it.
  await members.disks.states();
  // A disk that hangs in its own place is refused in other words.
  if (place.path !== known.path || (await stateAt(members, members.document, known)) !== 'hanging')
    await refuseSilent(members, name, place);
  const made = new Made();
  const fault =
    options.failing === true ? 'it is said to be failing' : await lookForFault(context, name, place, options);
  let isNew = false;
  let aside: string | undefined;
  await making(place, made, () =>
    members.change(
      context.locks,
      options.signal,
      async (document) => {
        const old = findDisk(document, name);
        const { role, ...kept } = old;
        const moved = { ...kept, path: place.path };
        // Begun before, and interrupted: there is everything left to heal.
        if (role === 'joining' && place.path === old.path && (await stateAt(members, document, old)) === 'online') {
          isNew = true;
          return undefined;
        }
        const found = await stateAt(members, document, old);
        const isThere = found === 'online';
        if (found === 'hanging' && place.path === old.path) {
          throw new StoreError(
            'DISK_IO',
            `disk "${name}" does not answer; replace it by a folder elsewhere, or first put another one in its place`,
            { disk: name },
          );
        }
        const isSame =
          isThere &&
          (await realPlace(members, place.folder)) === (await realPlace(members, path.resolve(members.root, old.path)));
        if (place.path !== old.path && (!isThere || isSame) && (await stateAt(members, document, moved)) === 'online') {
          await relink(members.root, name, place, made);
          return withDisk(document, name, { ...moved, ...(role === undefined ? {} : { role }) });
        }
        if (isThere) await refuseWell(members, old, place, fault);
        refuseUnreadable(document, document.disks.length, name);
        if (options.allowStale !== true) await refuseTooEarly(context, name);
        const failing = isThere ? context.disks.disks.find((disk) => disk.name === name) : undefined;
        if (failing !== undefined) await refuseLosing(context, failing, options.allowStale ?? false, options.signal);
        await refuseOccupied(document, members, name, place);
        // Elsewhere that is most likely a mistake.
        const isElsewhere = place.path !== old.path && place.path !== name;
        if (isElsewhere && (await isMissing(members, place)))
          throw new StoreError('BAD_ROOT', `there is no folder "${place.folder}"`, { disk: name, path: place.folder });
        await clearWay(members, path.join(members.root, name), place, made);
        // What stands at the disk's own place is what is replaced, unless it is another disk.
        const isOther = ['swapped', 'foreign'].includes(await stateAt(members, document, old));
        if (isThere || (old.path === name && !isOther)) aside = await moveOldFolder(members.root, name, place, made);
        await forgetMetas(place.folder, document, name);
        const disk = await newDisk(document, members.root, name, place, made);
        isNew = true;
        return withDisk(document, name, disk);
      },
      made.keep.bind(made),
    ),
  );
  if (aside !== undefined) options.onOldFolder?.(aside);
  return isNew;
}

/** What is wrong with a disk that is there, and is to be replaced by another place. */
async function lookForFault(
  context: StoreContext,
  name: string,
  place: Place,
  { signal }: DiskOptions,
): Promise<string | undefined> {
  const { members } = context;
  const known = findDisk(members.document, name);
  const disk = context.disks.disks.find((candidate) => candidate.name === name);
  if (
    disk === undefined ||
    (await stateAt(members, members.document, known)) !== 'online' ||
    (await isWithin(members, place.folder, path.resolve(members.root, known.path)))
  )
    return undefined;
  return faultOf(context, disk, signal);
}

/** @throws DISK_EXISTS, BAD_ROOT where a disk that is there is not to be replaced, or not by this place */
async function refuseWell(
  members: Membership,
  { name, path: where }: DiskEntry,
  { folder }: Place,
  fault: string | undefined,
): Promise<void> {
  const old = path.resolve(members.root, where);
  if (await isWithin(members, folder, old)) {
    const isItself = (await realPlace(members, folder)) === (await realPlace(members, old));
    const message = isItself
      ? `disk "${name}" is there; if it is failing, name the empty folder that is to take its place`
      : `"${folder}" cannot become disk "${name}": that is there still`;
    throw new StoreError(isItself ? 'DISK_EXISTS' : 'BAD_ROOT', message, { disk: name, path: folder });
  }
  if (fault !== undefined) return;
  throw new StoreError(
    'DISK_EXISTS',
    `disk "${name}" is there, and a look at it finds nothing wrong; if it fails otherwise, replace it with --failing; to change it for another, add that one, then drain and remove this one`,
    { disk: name },
  );
}

/**
 * Takes no more chunks to a disk, or with `cancel` again.
 * @throws NO_SUCH_DISK, DISK_NEEDED where the other disks can't hold what is on it, or can't keep the redundancy
 */
export async function setDraining(
  context: StoreContext,
  name: string,
  cancel: boolean,
  options: DiskOptions,
): Promise<void> {
  const { members } = context;
  await members.refresh();
  findDisk(members.document, name);
  const refuseNarrow = cancel ? undefined : await refuseNeeded(context, name, options);
  await members.change(context.locks, options.signal, async (document) => {
    const { role, ...disk } = findDisk(document, name);
    if (role === 'joining')
      throw new StoreError('DISK_NEEDED', `disk "${name}" has not got all metas yet; run "store heal" first`, {
        disk: name,
      });
    // Another disk may be being drained since we looked.
    refuseNarrow?.();
    await Promise.resolve();
    return withDisk(document, name, cancel ? disk : { ...disk, role: 'draining' });
  });
}

/**
 * Takes a disk out of the store, once nothing is on it any more; its folder stays as it is.
 * @throws NO_SUCH_DISK, DISK_NEEDED
 */
export async function removeDisk(context: StoreContext, name: string, options: DiskOptions): Promise<void> {
  const { members } = context;
  await members.refresh();
  const refuse = (reason: string): never => {
    throw new StoreError('DISK_NEEDED', `disk "${name}" cannot be removed: ${reason}`, { disk: name });
  };
  if (findDisk(members.document, name).role !== 'draining')
    refuse(`it has not been drained; "store disk drain ${name}" moves everything off it`);
  await refuseNeeded(context, name, options);
  const failed: string[] = [];
  const complete = { failed, allowStale: false, signal: options.signal };
  const isDone = await changeWhenComplete(context, complete, async (document, having) => {
    const disk = findDisk(document, name);
    if (disk.role !== 'draining') refuse('it is not being drained any more');
    // Every read of the n - 1 disks must meet one that has all metas.
    const voters = having.filter((other) => other.name !== name && context.disks.isVoter(other)).length;
    const needed = writeQuorumOf(document.disks.length - 1);
    if (voters < needed) refuse(`${needed} other disks must be online and have all metas; ${voters} are`);
    const { onDisk } = await survey(context, name, options.signal);
    if (onDisk > 0) refuse(`it still holds chunks (${onDisk}); "store disk drain ${name}" moves them off`);
    if (path.resolve(members.root, disk.path) !== path.join(members.root, name))
      await new Made().clear(path.join(members.root, name));
    await syncFolderNow(members.root);
    return { ...document, disks: document.disks.filter((other) => other.name !== name) };
  });
  if (!isDone) refuse(inShort(failed));
}

/** Checks that the store can do without a disk, and returns what checks it again as far as that is quick. @throws DISK_NEEDED */
async function refuseNeeded(context: StoreContext, name: string, { signal }: DiskOptions): Promise<() => void> {
  const { members } = context;
  const refuse = (reason: string): never => {
    throw new StoreError(
      'DISK_NEEDED',
      `disk "${name}" is needed: ${reason}; add another one first ("store disk add")`,
      { disk: name },
    );
  };
  const { widest, widestName, widestShards, bytesOnDisk, roomElsewhere } = await survey(context, name, signal);
  const refuseNarrow = (): void => {
    const others = members.belong.filter((disk) => disk !== name).length;
    if (others === 0) refuse('it is the only one');
    const { data, parity } = parseRedundancy(members.document.redundancy);
    const left = `${others} would be left`;
    if (data + parity > others)
      refuse(`the store's redundancy ${members.document.redundancy} takes ${data + parity} disks, and ${left}`);
    if (widestShards > others) refuse(`${widest} of ${widestName} takes ${widestShards} disks, and ${left}`);
  };
  refuseNarrow();
  if (bytesOnDisk > roomElsewhere) {
    refuse(`${bytesOnDisk} bytes are on it, and the other disks have room for ${Math.floor(roomElsewhere)}`);
  }
  return refuseNarrow;
}

/** The first of many reasons; what is wrong with a folder is wrong with everything in it. */
function inShort(reasons: readonly string[]): string {
  const more = reasons.length - SHOWN_REASONS;
  return [...reasons.slice(0, SHOWN_REASONS), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

function findDisk(document: StoreDocument, name: string): DiskEntry {
  const disk = document.disks.find((candidate) => candidate.name === name);
  if (disk === undefined) throw new StoreError('NO_SUCH_DISK', `there is no disk "${name}"`, { disk: name });
  return disk;
}

function withDisk(document: StoreDocument, name: string, disk: DiskEntry): StoreDocument {
  return { ...document, disks: document.disks.map((other) => (other.name === name ? disk : other)) };
}

/** @throws DISK_NEEDED where the members left would be fewer than a read needs, so that nothing could be read or healed */
function refuseUnreadable(document: StoreDocument, disks: number, replaced: string | undefined): void {
  const voters = document.disks.filter(({ name, role }) => role !== 'joining' && name !== replaced).length;
  const needed = readQuorumOf(disks);
  if (voters >= needed) return;
  const joining = document.disks.filter(({ role }) => role === 'joining').map(({ name }) => `"${name}"`);
  const hint =
    joining.length === 0
      ? 'there is nothing left to heal it from'
      : `${joining.join(', ')} must join first: run "store heal", or "store heal --allow-stale" if the others are lost`;
  throw new StoreError(
    'DISK_NEEDED',
    `a read of ${disks} disks needs ${needed} that have all metas, and ${voters} would have them; ${hint}`,
    {
      expected: needed,
      found: voters,
    },
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

async function newDisk(
  document: StoreDocument,
  root: string,
  name: string,
  place: Place,
  made: Made,
): Promise<DiskEntry> {
  const stood = await unknownId(place.folder, document, name);
  if (stood === undefined) await checkPlace(root, name, place.folder);
  const disk: DiskEntry = { name, id: stood ?? randomUUID(), path: place.path, role: 'joining' satisfies DiskRole };
  await makeDisk(root, document.id, disk, made);
  await syncFolderNow(root);
  return disk;
}

async function stateAt(
  { root, attendance }: Membership,
  { id: storeId }: StoreDocument,
  { name, id, path: where }: DiskEntry,
): Promise<string> {
  const { status } = await attendance.disk(path.resolve(root, where), { storeId, name, id }).state();
  return status;
}

/** Runs `work`; if it fails, what it has made is taken back, and a system error of the place is told as one. */
async function making(place: Place, made: Made, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await made.undo();
    if (isStoreError(error)) throw error;
    throwIfShort(error, `cannot make a disk in "${place.folder}"`);
    const errno = errnoOf(error);
    const details = { path: place.folder, ...(errno === undefined ? {} : { errno }) };
    if (errno === 'EEXIST' || errno === 'ENOTDIR')
      throw new StoreError('BAD_ROOT', `"${place.folder}" is not a folder`, details, error);
    throw new StoreError(
      'STORE_NOT_WRITABLE',
      `cannot make a disk in "${place.folder}": ${reasonOf(error)}`,
      details,
      error,
    );
  }
}
