import { StoreError } from '../../errors.ts';
import type { StoreContext } from '../protocol/context.ts';
import { findDisk, withDisk } from '../members/store-document.ts';
import type { DiskOptions } from './entries.ts';
import { refuseNeeded } from './needs.ts';

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
