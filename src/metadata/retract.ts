import { isStoreError } from '../errors.ts';
import type { Copy } from './copies.ts';
import { publish, putBack, type PublishOptions } from './publish.ts';

/**
 * Takes a document back from its disks.
 *
 * Where all n disks are there, it is simply unlinked from each: that needs no room, so it works on full disks, and it
 * leaves nothing. Where a disk is away, or one refuses, a tombstone on the quorum keeps an old copy from coming back.
 * The caller holds the document's lock from before it read `copies`.
 *
 * @param makeTombstone only called where one is needed: to mint its version may take room
 * @throws PublishError; the disks have then, as far as they can be made to, what they had before
 */
export async function retract(
  copies: readonly Copy<unknown>[],
  makeTombstone: () => Promise<Uint8Array>,
  options: PublishOptions & { areAllOnline: () => Promise<boolean> },
): Promise<void> {
  // A disk that has gone looks as if it had nothing to unlink, so the disks are looked at afterwards too.
  if ((await options.areAllOnline()) && (await unlinkAll(copies, options)) && (await options.areAllOnline())) return;
  try {
    await publish(copies, await makeTombstone(), options);
  } catch (error) {
    await options.beforeUndo?.();
    await Promise.all(copies.map((copy) => putBack(copy, options)));
    throw error;
  }
}

/** Tells whether no disk has the document any more. */
async function unlinkAll(copies: readonly Copy<unknown>[], options: PublishOptions): Promise<boolean> {
  const removed = await Promise.all(
    copies.map(async ({ disk }) => {
      try {
        await disk.remove(options.path, options);
        return true;
      } catch (error) {
        if (isStoreError(error)) return false;
        throw error;
      }
    }),
  );
  return removed.every(Boolean);
}
