import { writeQuorumOf } from '../../disks/disk-set.ts';
import { placeAt } from '../../disks/drivers.ts';
import { StoreError } from '../../errors.ts';
import { syncFolderNow } from '../../files/calls.ts';
import { Made } from '../../files/made.ts';
import { changeWhenComplete } from '../health/joining.ts';
import { linkTo } from '../members/disk-links.ts';
import type { StoreContext } from '../protocol/context.ts';
import { findDisk } from '../members/store-document.ts';
import { inShort, type DiskOptions } from './entries.ts';
import { refuseNeeded } from './needs.ts';
import { survey } from './survey.ts';

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
    const { chunks } = (await survey(context, name, options.signal)).holding;
    if (chunks > 0) refuse(`it still holds chunks (${chunks}); "store disk drain ${name}" moves them off`);
    const link = linkTo(members.root, name, placeAt(disk.path, members.root));
    if (link !== undefined) await new Made().clear(link);
    await syncFolderNow(members.root);
    return { ...document, disks: document.disks.filter((other) => other.name !== name) };
  });
  if (!isDone) refuse(inShort(failed));
}
