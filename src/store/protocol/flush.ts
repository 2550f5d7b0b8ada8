import type { Disk } from '../../disks/disk.ts';
import { diskFault } from '../../errors.ts';
import type { StoreContext } from './context.ts';

/**
 * Makes what disks show durable, before somebody relies on having seen it: an operation that died may have done a part of it
 * and synced nothing. Tells in words which disks failed. Where the store does not wait for stable storage, nothing is done.
 */
export async function flushDisks(context: StoreContext, disks: readonly Disk[]): Promise<string[]> {
  if (context.durability !== 'fsync') return [];
  const failures = await Promise.all(
    disks.map(async (disk) => {
      try {
        await disk.flush();
        return [];
      } catch (error) {
        return [diskFault(error).message];
      }
    }),
  );
  return failures.flat();
}
