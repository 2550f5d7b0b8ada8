import { lockName } from '../locks/locks.ts';
import { bucketFolder, bucketKind, metaKind } from '../metadata/catalog.ts';
import { newestCopy, readCopies, type Copy, type DocumentKind } from '../metadata/copies.ts';
import type { VersionedDocument } from '../metadata/document.ts';
import { isTombstone, type ObjectMeta } from '../metadata/meta.ts';
import { publish } from '../metadata/publish.ts';
import { mintVersion } from '../metadata/version.ts';
import { makeBucketFolder, throwAsDiskError, type Writer } from './commit.ts';
import type { StoreContext } from './context.ts';

/** What became of one key's or bucket's copies. */
export interface Settled {
  /** `agreed`: nothing to do; `settled`: brought to the newest; `removed`: a tombstone that all disks had. */
  outcome: 'agreed' | 'settled' | 'removed';
  /** Every object version that some disk still shows. */
  live: ObjectMeta[];
  /** Why it can't be told what the copies refer to. */
  problem?: string;
}

/**
 * Ends what a commit that died began: all disks that are there get the newest of a key's metas, because a reader may
 * have seen it already. A tombstone goes when all n disks have it, and with it what it was there to outlive.
 */
export async function settleKey(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  key: string,
  dryRun: boolean,
): Promise<Settled> {
  const kind = metaKind(bucket, key);
  const first = judge(await readCopies(writer.view.online, kind), writer, isTombstone);
  if (first.outcome === 'agreed') return { ...first, live: first.shown.filter(isObject) };
  if (dryRun) return { ...first, live: first.outcome === 'removed' ? [] : first.newest.filter(isObject) };
  return locked(context, writer, [lockName.bucket(bucket), 'shared'], lockName.key(bucket, key), async (own) => {
    const again = await settle(context, own, bucket, kind, isTombstone);
    return { ...again, live: again.shown.filter(isObject) };
  });
}

/** The same for a bucket's document; an empty folder that is no bucket goes too. */
export async function settleBucket(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  dryRun: boolean,
): Promise<Settled> {
  const kind = bucketKind(bucket);
  const isDeleted = (document: { deleted?: true | undefined }): boolean => document.deleted === true;
  const first = judge(await readCopies(writer.view.online, kind), writer, isDeleted);
  const isBucket = first.shown.length > 0 && first.outcome !== 'removed';
  if (dryRun || (isBucket && first.outcome === 'agreed')) return { ...first, live: [] };
  return locked(context, writer, [lockName.bucket(bucket), 'exclusive'], undefined, async (own) => {
    if (isBucket) await Promise.all(own.view.online.map((disk) => makeBucketFolder(disk, bucket, own.durable)));
    const again = await settle(context, own, bucket, kind, isDeleted);
    if (!isBucket) await Promise.all(own.view.online.map((disk) => disk.removeFolder(bucketFolder(bucket))));
    return { ...again, live: [] };
  });
}

function isObject(meta: Parameters<typeof isTombstone>[0]): meta is ObjectMeta {
  return !isTombstone(meta);
}

/** Runs `work` with the locks of a commit, in a session of its own: many keys are settled side by side. */
async function locked<T>(
  context: StoreContext,
  writer: Writer,
  [bucket, mode]: [string, 'shared' | 'exclusive'],
  key: string | undefined,
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  const { signal } = writer;
  const session = await context.locks.open('write');
  try {
    const id = mintVersion();
    await session.lock(lockName.version(id), 'shared');
    await session.lock(bucket, mode, signal);
    if (key !== undefined) await session.lock(key, 'exclusive', signal);
    return await work({ ...writer, session, id, view: await context.disks.narrow(writer.view) });
  } finally {
    await session.close();
  }
}

interface Judged<T> {
  outcome: Settled['outcome'];
  /** The documents that disks show. */
  shown: T[];
  /** The newest of them, or none. */
  newest: T[];
  behind: Copy<T>[];
  problem?: string;
}

/** Says what has to be done about a document's copies. */
function judge<T extends VersionedDocument>(
  copies: readonly Copy<T>[],
  { view }: Writer,
  isDeleted: (document: T) => boolean,
): Judged<T> {
  const shown = copies.flatMap((copy) => (copy.state === 'valid' ? [copy.document] : []));
  const bad = copies.find((copy) => copy.state === 'bad');
  // What a damaged copy said is unknown, so nothing is decided over it; uploading the object again mends it.
  if (bad !== undefined) return { outcome: 'agreed', shown, newest: shown, behind: [], problem: bad.error.message };
  const newest = newestCopy(copies)?.document;
  if (newest === undefined) return { outcome: 'agreed', shown, newest: [], behind: [] };
  const behind = copies.filter((copy) => copy.state === 'absent' || (copy.state === 'valid' && copy.document.version !== newest.version));
  if (isDeleted(newest) && view.offline.length === 0) return { outcome: 'removed', shown, newest: [newest], behind };
  return { outcome: behind.length === 0 ? 'agreed' : 'settled', shown, newest: [newest], behind };
}

async function settle<T extends VersionedDocument>(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  kind: DocumentKind<T>,
  isDeleted: (document: T) => boolean,
): Promise<Judged<T>> {
  const { view, id, durable } = writer;
  const copies = await readCopies(view.online, kind);
  const judged = judge(copies, writer, isDeleted);
  const newest = newestCopy(copies);
  if (judged.outcome === 'agreed' || newest === undefined) return judged;
  const options = { path: kind.path, within: bucketFolder(bucket), id, durable, quorum: judged.behind.length };
  if (judged.outcome === 'removed') {
    // Older copies first: as long as one is left, the tombstones must outlive it.
    const stale = copies.filter((copy) => copy.state === 'valid' && !isDeleted(copy.document));
    for (const { disk } of stale) await disk.remove(kind.path, options);
    // A disk that has just gone may hold an older copy, and look as if it held none.
    if (!(await context.disks.areAllOnline())) return { ...judged, outcome: 'agreed' };
    for (const { disk } of copies) await disk.remove(kind.path, options);
    return { ...judged, shown: [] };
  }
  await publish(judged.behind, newest.bytes, options).catch((error: unknown) => throwAsDiskError(context, error));
  return { ...judged, shown: [newest.document] };
}
