import { placeAt } from '../../disks/drivers.ts';
import { StoreError } from '../../errors.ts';
import { Made } from '../../files/made.ts';
import { checkDiskName } from '../../metadata/names.ts';
import { joinDisks } from '../health/joining.ts';
import type { StoreDocument } from '../members/store-document.ts';
import { pathOf } from '../members/make-disk.ts';
import { making } from '../members/making.ts';
import type { StoreContext } from '../protocol/context.ts';
import { inShort, type DiskOptions } from './entries.ts';
import { refuseUnreadable } from './needs.ts';
import { newDisk } from './new-disk.ts';
import { refuseOccupied, refuseSilent } from './place.ts';

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
  const place = placeAt(folder, process.cwd());
  // Who hangs is found before others are kept waiting for it.
  await members.refresh();
  await members.disks.states();
  await refuseSilent(members, name, place);
  const made = new Made();
  const change = async (document: StoreDocument): Promise<StoreDocument | undefined> => {
    const known = document.disks.find((disk) => disk.name === name);
    // Begun before, and interrupted: what is left to do is to bring it all metas.
    if (known?.role === 'joining' && known.path === pathOf(members.root, name, place)) return undefined;
    if (known !== undefined) throw new StoreError('DISK_EXISTS', `there is a disk "${name}" already`, { disk: name });
    refuseUnreadable(document, document.disks.length + 1, undefined);
    await refuseOccupied(document, members, name, place);
    const disk = await newDisk(document, members.root, name, place, made);
    return { ...document, disks: [...document.disks, disk] };
  };
  await making('a disk', place.where, made, () =>
    members.change(context.locks, options.signal, change, made.keep.bind(made)),
  );
  const failed: string[] = [];
  await joinDisks(context, { failed, allowStale: false, signal: options.signal });
  // Somebody else's heal may have done it before us.
  await members.refresh();
  if (members.disks.roleOf(name) === 'joining') {
    const message = `disk "${name}" is added, but it has not got all metas yet (run "store heal"): ${inShort(failed)}`;
    throw new StoreError('DISK_IO', message, { disk: name });
  }
}
