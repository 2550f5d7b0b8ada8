import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskView } from '../../disks/disk-set.ts';
import { throwIfAborted } from '../../errors.ts';
import { lockName, type LockSession } from '../../locks/locks.ts';
import { uploadIds, type ObjectMeta } from '../../metadata/meta.ts';
import { checkBucketName, checkKey, type Address } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';
import { readObjectMeta } from './read-documents.ts';

/** A version that is held for reading: nobody removes its chunks until `release`. */
export interface OpenVersion {
  meta: ObjectMeta;
  view: DiskView;
  session: LockSession;
  release: () => Promise<void>;
}

export interface OpenVersionOptions {
  /** Be content with what any disk says. */
  allowStale?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

const PAUSE_MS = 2;

/**
 * Finds the newest version of an object and holds it.
 *
 * Between finding and holding, another process may have replaced the version and begun to remove its chunks. Who
 * removes those of an upload has its lock alone, and does so only once a newer meta is committed; so when the version is
 * still the newest after we have the locks of all its uploads, its chunks are all there and will stay.
 */
export async function openVersion(
  context: StoreContext,
  bucket: string,
  key: string,
  { allowStale = false, signal }: OpenVersionOptions,
): Promise<OpenVersion> {
  checkBucketName(bucket);
  checkKey(key);
  const view = await context.lookForReading(allowStale);
  const session = await context.locks.open('read');
  try {
    const meta = await holdVersion(context, { bucket, key }, { session, view, allowStale, signal });
    return { meta, view, session, release: () => session.close() };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Finds an object's newest version and locks its uploads, shared, in the session. @throws NO_SUCH_KEY, … */
export async function holdVersion(
  context: StoreContext,
  address: Address,
  { session, view, allowStale, signal }: OpenVersionOptions & Pick<OpenVersion, 'session' | 'view'>,
): Promise<ObjectMeta> {
  let meta = await readObjectMeta(context, view, address, allowStale);
  for (;;) {
    const names = uploadIds(meta).map(lockName.upload);
    const held = tryLockAll(session, names);
    if (held && !session.effective) return meta;
    // Somebody is removing this very version, so a newer one is there or will be in a moment.
    if (!held) await sleep(PAUSE_MS);
    throwIfAborted(signal);
    const again = await readObjectMeta(context, view, address, allowStale);
    if (held && again.version === meta.version) return again;
    if (held) for (const name of names) session.unlock(name);
    meta = again;
  }
}

/** Takes all of the locks, shared, or none. */
function tryLockAll(session: LockSession, names: readonly string[]): boolean {
  const refused = names.findIndex((name) => !session.tryLock(name, 'shared'));
  if (refused === -1) return true;
  for (const name of names.slice(0, refused)) session.unlock(name);
  return false;
}
