import { isDiskFault } from '../errors.ts';
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
  try {
    // A disk that has gone looks as if it had nothing to unlink, so the disks are looked at afterwards too.
    if ((await options.areAllOnline()) && (await unlinkAll(copies, options)) && (await options.areAllOnline())) return;
    await publish(copies, await makeTombstone(), options);
  } catch (error) {
    await options.beforeUndo();
    await Promise.all(copies.map((copy) => putBack(copy, options)));
    throw error;
  }
}

/** Tells whether no disk has the document any more. */
async function unlinkAll(copies: readonly Copy<unknown>[], options: PublishOptions): Promise<boolean> {
  const removals = await Promise.allSettled(copies.map(({ disk }) => disk.remove(options.path, options)));
  const failures = removals.flatMap((removal) => (removal.status === 'rejected' ? [removal.reason as unknown] : []));
  for (const failure of failures) if (!isDiskFault(failure)) throw failure;
  return failures.length === 0;
}
